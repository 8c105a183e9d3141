#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/body_discard.h"
#include "proxy/connection.h"
#include "proxy/exchange.h"
#include "proxy/http/target.h"
#include "proxy/request_reader.h"
#include "proxy/stage.h"
#include "proxy/way_out.h"

namespace payg::proxy {

/// The server's side of an HTTP/1 proxy (RFC 9112): reads requests one after the other, asks the plugins
/// about each, and forwards it as an Exchange, or turns the connection into a Tunnel (CONNECT, 101).
///
/// The life of a request, each step a Phase:
///   reading_head → asking → dialing → exchanging → reading_head …
/// and for one that is refused: … → refused (its body is thrown away) → reading_head, or → lingering when the
/// connection cannot be used any more.
class HttpStage final : public Stage, public WayOutHandler, private SocketHandler {
 public:
  /// `received`: what the client has sent so far.
  HttpStage(Connection& connection, Buffer received);

  void start() noexcept override { advance(); }
  void on_client_ready() noexcept override;
  void on_timeout() noexcept override;
  void on_drain() noexcept override;
  void close() noexcept override;
  void on_authenticated() noexcept override;
  void on_admitted(const plugin::Location& location) noexcept override;
  void on_denied(const plugin::Denial& denial) noexcept override;
  CutManner on_cut(const plugin::Denial& why) noexcept override;

 private:
  enum class Phase : std::uint8_t { reading_head, asking, dialing, exchanging, refused, lingering };

  void on_ready(Socket&) noexcept override;  // of the origin
  void on_way_open(OpenWay way) noexcept override;
  void on_no_way(DialFailure failure) noexcept override;

  void enter(Phase phase);
  /// Goes through the phases as far as the bytes that are there reach.
  void advance() noexcept;

  // reading_head
  bool read_head();
  void begin_request();

  // asking, dialing
  plugin::Protocol protocol() const noexcept {
    return request_.method == http::Method::connect ? plugin::Protocol::http_connect
                                                    : plugin::Protocol::http_forward;
  }
  void authenticate();
  bool answer_here();
  bool can_reuse_origin() const;
  void dial();
  void drop_origin() noexcept;

  // exchanging
  void begin_exchange();
  bool run_exchange();
  void end_request();
  void become_tunnel(std::unique_ptr<OriginConnection> origin, Buffer to_target, Buffer to_client);

  // refused, lingering
  void refuse(RefusalKind kind, const plugin::Denial* denial = nullptr);
  void refuse(const http::Violation& violation);
  /// The tail of every answer of our own.
  void answer_and_discard(std::string_view answer, http::Persistence persistence);
  void send_refusal(const http::Refusal& refusal, http::Persistence persistence);
  /// Whether the connection can take another request behind a refusal of this one.
  http::Persistence persistence_behind_refusal() const noexcept;
  bool discard_body();
  void linger();
  void discard_until_end();

  FlushOutcome flush_answer() {
    Passage passage =
        ahead_of_answer_ == Ahead::nothing ? connection_.answer_passage() : connection_.down_passage();
    return flush(client_side(), passage);
  }
  MessageSide client_side() noexcept { return {connection_.client(), reader_.received(), unsent_}; }

  Connection& connection_;
  RequestReader reader_;
  Buffer unsent_;
  ExchangeRequest request_;
  http::Target target_;
  Phase phase_ = Phase::reading_head;
  enum class HeadTimer : std::uint8_t { running, idle } head_timer_ = HeadTimer::running;
  bool expects_continue_ = false;
  bool advancing_ = false;
  plugin::Location location_;
  std::unique_ptr<WayOut> way_out_;
  std::unique_ptr<OriginConnection> origin_;
  std::optional<Exchange> exchange_;
  BodyDiscard discard_;  ///< of a refused request's body
  /// An interim response of the origin that the client has not taken yet goes first, by its sessions' leave.
  enum class Ahead : std::uint8_t { nothing, relayed_bytes } ahead_of_answer_ = Ahead::nothing;
  MonotonicTime last_activity_;
};

}  // namespace payg::proxy
