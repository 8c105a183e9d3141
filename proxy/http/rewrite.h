#pragma once

#include <string>
#include <string_view>

#include "proxy/http/framing.h"
#include "proxy/http/head.h"
#include "proxy/http/target.h"

namespace payg::http {

/// Whether the connection is used again behind a message.
enum class Persistence { keep_alive, close };

/// Whether Upgrade is passed on (see wants_upgrade()) or ends here.
enum class UpgradeHandling { strip, pass_on };

struct RequestRewrite {
  const Target& target;
  /// As request_framing() found it; the body is sent in the same framing, chunked anew.
  BodyFraming framing{};
  /// This proxy's name in Via, e.g. "payg-1f3a"; unique, so that has_via() finds loops and nothing else.
  std::string_view pseudonym{};
  UpgradeHandling upgrade = UpgradeHandling::strip;
  /// Of the connection to the origin.
  Persistence persistence = Persistence::keep_alive;
};

/// Appends the head as it is sent to an origin: origin-form, Host from the target, HTTP/1.1 whatever the
/// client speaks, a Via line of ours, Max-Forwards one lower (TRACE and OPTIONS), framing fields written
/// once.
///
/// What ends here (RFC 9110 §7.6.1): Connection and what it lists, Keep-Alive, Proxy-Connection, TE, Trailer,
/// Transfer-Encoding, Upgrade unless passed on, Proxy-Authorization, Proxy-Authenticate; Expect from
/// HTTP/1.0. Host, Content-Length, Transfer-Encoding, Via, Expect and Max-Forwards do not care about being
/// listed.
void append_request_head(std::string& out, const RequestHead& head, const RequestRewrite& rewrite);

struct ResponseRewrite {
  Method request_method = Method::get;
  Version client_version = Version::http_1_1;
  /// How the body is sent to the client: framing_for_client().
  BodyFraming framing{};
  std::string_view pseudonym{};
  /// pass_on: for 101 to a request that was sent with it.
  UpgradeHandling upgrade = UpgradeHandling::strip;
  /// Of the client's connection. REQUIRES: close when framing is until_close.
  Persistence persistence = Persistence::keep_alive;
};

/// Appends the head as it is sent to the client, always as HTTP/1.1. Ends here: Connection and what it lists,
/// Keep-Alive, Proxy-Connection, Proxy-Authenticate (an origin has no business asking for the credentials
/// that are ours), Trailer, Transfer-Encoding, Upgrade unless passed on. Content-Length of an answer to HEAD
/// and of 304 stays; of 1xx and 204 it goes (RFC 9110 §8.6). Interim responses carry no Connection.
///
/// An interim response is not for an HTTP/1.0 client (RFC 9110 §15.2): drop it instead.
void append_response_head(std::string& out, const ResponseHead& head, const ResponseRewrite& rewrite);

}  // namespace payg::http
