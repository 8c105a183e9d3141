#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/buffer.h"
#include "proxy/connection.h"
#include "proxy/socks/socks5.h"
#include "proxy/stage.h"
#include "proxy/way_out.h"

namespace payg::proxy {

/// The server's side of SOCKS5 (RFC 1928) with user name and password (RFC 1929), up to the point where the
/// connection becomes a Tunnel.
class SocksStage final : public Stage, public WayOutHandler {
 public:
  /// `received`: what the client has sent so far.
  SocksStage(Connection& connection, Buffer received);

  void start() noexcept override { advance(); }
  void on_client_ready() noexcept override;
  void on_timeout() noexcept override;
  void on_drain() noexcept override {}  // goes on until drain_timeout
  void close() noexcept override;
  void on_authenticated() noexcept override;
  void on_admitted(const plugin::Location& location) noexcept override;
  void on_denied(const plugin::Denial& denial) noexcept override;
  CutManner on_cut(const plugin::Denial& why) noexcept override;

 private:
  enum class Step : std::uint8_t {
    greeting,
    credentials,
    authenticating,
    request,
    admitting,
    dialing,
    refused,  ///< the last answer was sent; what the client still sends is thrown away
  };
  /// How the client was told to show who it is.
  enum class Method : std::uint8_t { none, user_name_password };

  void advance();
  /// False: more bytes are needed, or the message was refused and answered.
  bool is_complete(const socks::ParseOutcome& outcome);
  bool read_greeting();
  bool read_credentials();
  bool read_request();
  void authenticate(bool has_credentials, std::string_view name, std::string_view password);
  void admit();
  plugin::Protocol protocol() const noexcept {
    return target_.command == socks::Command::connect ? plugin::Protocol::socks5
                                                      : plugin::Protocol::socks5_udp;
  }
  void associate(const plugin::Location& location);

  void on_way_open(OpenWay way) noexcept override;
  void on_no_way(DialFailure failure) noexcept override;

  /// Sends a reply and lets the connection linger.
  void refuse(RefusalKind kind);
  void finish_with(std::string_view answer);
  /// Answers are a few bytes into an empty send buffer; a client whose buffer is full has not kept to the
  /// protocol.
  void send(std::string_view bytes);
  void receive();

  Connection& connection_;
  Buffer received_;
  Step step_ = Step::greeting;
  Method method_ = Method::none;
  bool client_ended_ = false;
  // A denial for another reason than bad credentials is told as the reply to the request (DESIGN.md, "Names
  // on the wire").
  std::optional<plugin::Denial> pending_denial_;
  socks::Request target_;
  plugin::Location location_;
  std::unique_ptr<WayOut> way_out_;
};

}  // namespace payg::proxy
