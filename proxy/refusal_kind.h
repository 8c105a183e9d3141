#pragma once

#include <cstddef>
#include <string_view>

#include "plugin/api/plugin.h"
#include "proxy/dial.h"
#include "proxy/http/refusal.h"
#include "proxy/socks/socks5.h"

namespace payg::proxy {

/// Everything that a client is refused for, whoever refuses. One table (refusal_kind.cc) says how each looks
/// by HTTP and by SOCKS5; it is the table of DESIGN.md, "Names on the wire", with the errors of the proxy
/// itself.
enum class RefusalKind : unsigned char {
  bad_credentials,
  payment_required,
  forbidden,    ///< by a plugin
  bad_request,  ///< malformed, or user-name grammar
  too_many,
  unavailable,       ///< the ledger, or anything else that will be back
  no_such_location,  ///< no exit stands where the user wants to go out
  forbidden_target,  ///< a guarded address
  loop,              ///< the request has been through this proxy already
  unresolved,
  refused,
  unreachable,
  timed_out,
  exhausted,         ///< this process has no descriptors left
  exit_failed,       ///< the exits that were tried do not work themselves
  head_timeout,      ///< the client took too long to ask
  response_timeout,  ///< the origin took too long to answer
  bad_response,      ///< the origin's answer makes no sense
  incomplete,        ///< the origin's answer ended early
};
inline constexpr std::size_t refusal_kinds = static_cast<std::size_t>(RefusalKind::incomplete) + 1;

struct RefusalRow {
  RefusalKind kind;
  std::string_view code;  ///< stable: in bodies, logs and metrics
  http::Status status;
  http::ProxyError error;
  socks::Reply reply;
  std::string_view detail;  ///< for a person, when nobody gave a better one
};

const RefusalRow& row_of(RefusalKind kind) noexcept;
RefusalKind kind_of(plugin::Reason reason) noexcept;
RefusalKind kind_of(DialFailure failure) noexcept;

/// A refusal of this kind; `denial`, when given, brings its own words. The views are those of the row and the
/// denial.
http::Refusal refusal_of(RefusalKind kind, const plugin::Denial* denial = nullptr) noexcept;

}  // namespace payg::proxy
