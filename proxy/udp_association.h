#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/connection.h"
#include "proxy/listener.h"
#include "proxy/resolver.h"
#include "proxy/socks/socks5.h"
#include "proxy/stage.h"
#include "proxy/udp_socket.h"

namespace payg::proxy {

/// A UDP association of SOCKS5 (RFC 1928 §7): relays datagrams between one client and whatever it sends to,
/// for as long as the TCP connection that asked for it stands. Metered and cut like any other connection of
/// its session.
///
/// Only the address that the TCP connection comes from may use it, from one port: the one it named, if it
/// named it together with that address, or else the one that its first datagram comes from. Each target is
/// put to the plugins once, its name is resolved once in a while, and its address goes past the guard. What
/// comes back is let in from addresses that the client has sent to. Nothing is repeated and nothing is kept,
/// but for a few datagrams to targets that are still being asked about: what cannot be sent at once is
/// dropped, as a router would.
class UdpAssociation final : public Stage, private UdpSocketHandler {
 public:
  /// `client`: where the client says that its datagrams come from; nullopt: it does not.
  UdpAssociation(Connection& connection, ExitRef exit, const std::optional<SocketAddress>& client);
  ~UdpAssociation() override;

  /// Where the client is to send its datagrams: to the listener's udp_address, or else where it is connected
  /// to; nullopt: failure() says why not. Once, before start().
  std::optional<SocketAddress> open();
  /// REQUIRES: it could not be opened. exhausted, or exit_failed: the exit's source address.
  DialFailure failure() const noexcept { return failure_; }

  void start() noexcept override;
  void on_client_ready() noexcept override;
  void on_timeout() noexcept override;
  void on_drain() noexcept override {}  // goes on until drain_timeout
  void close() noexcept override;
  void on_admitted(const plugin::Location& location) noexcept override;
  void on_denied(const plugin::Denial& denial) noexcept override;
  CutManner on_cut(const plugin::Denial& why) noexcept override;

 private:
  struct Lookup;
  /// What is known of one "host:port".
  struct Target {
    enum class State : std::uint8_t {
      in_question,  ///< the plugins are to be asked about it
      resolving,
      open,
      refused,
    };
    State state = State::in_question;
    bool is_settled() const noexcept { return state == State::open || state == State::refused; }
    TargetHost host;
    std::uint16_t port = 0;
    std::optional<SocketAddress> address;  ///< when open, or when it was before it was asked about again
    MonotonicTime settled_at{};
    MonotonicTime last_used{};
    std::unique_ptr<Lookup> lookup{};  ///< while it is resolved
  };
  using Targets = std::unordered_map<std::string, Target>;
  struct Waiting {
    std::string target;
    std::string payload;
  };

  /// Where the client is told to send to, if that is here, and where it is connected to otherwise: then
  /// somebody translates.
  bool open_client_side();
  void on_datagrams(UdpSocket&) noexcept override { relay(); }

  /// Moves datagrams both ways, a bounded share of what is there.
  void relay() noexcept;
  template <class Step>
  void relay_from(UdpSocket& source, Step step) noexcept;
  void relay_up(std::span<char> scratch);
  void relay_down(UdpSocket& source, std::span<char> scratch);
  bool is_from_client(const SocketAddress& from) noexcept;
  void send_to(const Target& target, std::string_view payload);

  Target& find_or_begin(const socks::Datagram& datagram);
  void forget_least_used();
  void forget_address(Target& target);
  void wait(std::string_view payload);
  /// A target that is in question, and that nobody waits for, would stay so: the next datagram to it finds it
  /// as this one did. REQUIRES: key_ is its target's.
  void leave_in_peace();
  /// Asks about the next target that somebody waits for.
  void ask_next();
  void note_answer(Lookup& lookup, const std::vector<IpAddress>& addresses);
  /// The first of these that the guard and the exit allow; or `why_not`.
  std::optional<SocketAddress> choose(const std::vector<IpAddress>& addresses, std::uint16_t port,
                                      RefusalKind& why_not);
  void settle(const std::string& key, Target::State state,
              std::optional<SocketAddress> address = std::nullopt);
  UdpSocket* exit_socket(IpAddress::Family family);
  void count_dropped() noexcept;

  Connection& connection_;
  const ExitRef exit_;
  /// A connection's share of descriptors is two; an association takes up to four.
  ConnectionLimit::Place second_place_;
  UdpSocket client_side_;
  UdpSocket exit_side_[2];         // by family, opened when needed
  std::uint16_t client_port_ = 0;  // 0: not known yet
  DialFailure failure_ = DialFailure::exhausted;

  Targets targets_;
  std::map<SocketAddress, unsigned> contacted_;  // how many targets have this address
  std::string key_;                              // of the datagram at hand; kept for its memory
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::optional<std::string> in_question_;  // the one target that the plugins are asked about
  MonotonicTime last_activity_;
};

}  // namespace payg::proxy
