#pragma once

#include <memory>
#include <string>

#include "proxy/body_relay.h"
#include "proxy/connection.h"
#include "proxy/http/framing.h"
#include "proxy/http/head.h"
#include "proxy/http/rewrite.h"

namespace payg::proxy {

/// A connection to an origin that requests are forwarded on, one after the other.
struct OriginConnection {
  std::unique_ptr<Socket> socket = std::make_unique<Socket>();
  Buffer received;
  Buffer unsent;
  http::ResponseParser parser;
  std::string host;
  std::uint16_t port = 0;
  ExitRef exit;
  /// Requests that it has answered.
  unsigned answered = 0;

  MessageSide side() noexcept { return {*socket, received, unsent}; }
};

/// What an exchange needs to remember of its request.
struct ExchangeRequest {
  http::Method method = http::Method::get;
  http::Version version = http::Version::http_1_1;
  http::BodyFraming framing;
  http::Persistence persistence = http::Persistence::close;  ///< what the client would like
  http::UpgradeHandling upgrade = http::UpgradeHandling::strip;

  /// What the head says; the framing is for the caller to judge.
  static ExchangeRequest of(const http::RequestHead& head) noexcept;

  bool has_body() const noexcept {
    return framing.kind == http::BodyFraming::Kind::chunked ||
           (framing.kind == http::BodyFraming::Kind::length && framing.length != 0);
  }
};

/// One request that was sent on to an origin, and the response to it: both bodies stream at the same time,
/// and the response may come, and be over, before the request is.
class Exchange {
 public:
  enum class Progress {
    running,
    answered_keep,   ///< complete; the client's connection takes the next request
    answered_close,  ///< complete; the client's connection is to be closed behind it
    upgraded,        ///< 101 is in the client's unsent bytes; from here on both are a tunnel
    retry,  ///< the kept origin connection had died; nothing was answered, the request can be sent again
    // Nothing was sent to the client, so that it can be refused:
    bad_request,   ///< the request's body breaks its framing
    bad_response,  ///< the origin's head is malformed
    no_response,   ///< the origin closed without a complete head
    /// The client has a part of a response that will never be complete, and sees that by its framing: close
    /// behind it.
    cut_short,
    /// The client is gone, or would take an orderly close for the end of its response: reset.
    broken,
  };

  /// The request's head is in origin.unsent already. Both outlive the exchange.
  Exchange(Connection& connection, MessageSide client, OriginConnection& origin,
           const ExchangeRequest& request);

  /// Goes as far as the bytes that are there reach, while the sessions permit it.
  Progress run();
  void drop();

  /// After `answered_keep` or `answered_close`: the origin's connection takes another request.
  bool origin_reusable() const noexcept { return origin_reusable_; }
  /// A byte of a response has gone to the client, or is about to.
  bool has_begun_answer() const noexcept { return response_ != Response::head; }

 private:
  enum class RequestState : std::uint8_t {
    sending,
    sent,
    abandoned,  ///< the origin does not take it; its answer may be there all the same
  };
  enum class Response : std::uint8_t { head, body };

  Progress run_request(Passage& up);
  Progress run_response(Passage& down);
  Progress read_response_head(Passage& down);
  Progress on_response_head(const http::ResponseHead& head, Passage& down);
  Progress on_interim(const http::ResponseHead& head, Passage& down);
  Progress on_origin_ended() const;
  Progress finish();

  Connection& connection_;
  MessageSide client_;
  OriginConnection& origin_;
  const ExchangeRequest request_;
  BodyRelay request_body_;
  BodyRelay response_body_;
  RequestState request_state_ = RequestState::sending;
  Response response_ = Response::head;
  http::Persistence persistence_ = http::Persistence::close;
  bool origin_reusable_ = false;
  bool ends_with_connection_ = false;  ///< the response, at the client
  unsigned interim_responses_ = 0;
};

}  // namespace payg::proxy
