#include "billing/denials.h"

namespace payg::billing::denials {
namespace {

using plugin::Denial;
using plugin::Reason;

constexpr std::chrono::seconds soon{1};
constexpr std::chrono::seconds later{30};

Denial deny(Reason reason, std::string_view detail) {
  return {.reason = reason, .detail = std::string(detail), .url = {}};
}

Denial deny_for(std::chrono::seconds retry_after, std::string_view detail,
                Reason reason = Reason::unavailable) {
  return {.reason = reason, .detail = std::string(detail), .url = {}, .retry_after = retry_after};
}

}  // namespace

Denial bad_credentials() {
  return deny(Reason::bad_credentials, "a user name and its token are needed");
}
Denial too_many_wrong_tokens(std::chrono::seconds wait) {
  return deny_for(wait, "too many wrong tokens came from this address; try again later", Reason::too_many);
}
Denial bad_user_name(std::string_view what) {
  return deny(Reason::bad_request, what);
}
Denial disabled() {
  return deny(Reason::forbidden, "this user is disabled");
}

Denial payment_required(const std::string& url) {
  return {.reason = Reason::payment_required,
          .detail = "the balance does not cover a session; buy credits to go on",
          .url = url};
}

Denial ledger_away() {
  return deny_for(soon, "no new session can be started at the moment, since balances cannot be read");
}
Denial too_many_sessions() {
  return deny_for(later, "this node has no room for another session");
}
Denial session_limit() {
  return deny(Reason::too_many, "this user has as many sessions as he may; end one to start another");
}
Denial stopping() {
  return deny_for(later, "this node is shutting down");
}

Denial for_end(EndReason why, const std::string& url) {
  switch (why) {
    case EndReason::exhausted: return payment_required(url);
    case EndReason::disabled: return disabled();
    case EndReason::requested: return deny(Reason::forbidden, "the session was ended");
    case EndReason::drained: return stopping();
    case EndReason::too_many: return session_limit();
    case EndReason::idle:
    case EndReason::node_lost:
    case EndReason::unavailable: break;
  }
  return ledger_away();
}

}  // namespace payg::billing::denials
