#include "billing/ledger/ledger.h"

#include <array>
#include <charconv>

#include "billing/ledger/find_by_name.h"
#include "plugin/base/text.h"

namespace payg::billing {
namespace {

constexpr std::size_t session_id_digits = 16;

}  // namespace

std::string to_string(SessionId id) {
  return to_hex(id.value);
}

std::optional<SessionId> parse_session_id(std::string_view hex) {
  if (hex.size() != session_id_digits) return std::nullopt;
  SessionId id;
  const char* const end = hex.data() + hex.size();
  const auto parsed = std::from_chars(hex.data(), end, id.value, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  // 63 bits, so that it fits BIGINT; zero names nothing.
  if (!id || id.value >> 63 != 0) return std::nullopt;
  return id;
}

LedgerResult<Done> end_one_session(Ledger& ledger, const EndRequest& request) {
  EndRequest patient = request;
  patient.turn = Turn::in_line;
  patient.by = EndedBy::somebody_else;
  const auto results = ledger.end_sessions({&patient, 1});
  if (!results) return results.error();
  if (results->front().outcome == EndOutcome::later)
    return LedgerError{LedgerError::Code::unavailable, "somebody else has the user locked"};
  return Done{};
}

std::string_view name_of(LedgerError::Code code) noexcept {
  switch (code) {
    case LedgerError::Code::unavailable: return "unavailable";
    case LedgerError::Code::not_found: return "not_found";
    case LedgerError::Code::already_exists: return "already_exists";
    case LedgerError::Code::conflict: return "conflict";
    case LedgerError::Code::life_is_over: return "life_is_over";
    case LedgerError::Code::insufficient: return "insufficient";
    case LedgerError::Code::too_many: return "too_many";
    case LedgerError::Code::invalid: return "invalid";
    case LedgerError::Code::broken: return "broken";
  }
  return "unknown";
}

std::string_view name_of(UserState state) noexcept {
  switch (state) {
    case UserState::active: return "active";
    case UserState::disabled: return "disabled";
  }
  return "unknown";
}

std::optional<UserState> parse_user_state(std::string_view name) noexcept {
  return find_by_name(std::array{UserState::active, UserState::disabled}, name);
}

std::string_view name_of(EndReason reason) noexcept {
  switch (reason) {
    case EndReason::idle: return "idle";
    case EndReason::exhausted: return "exhausted";
    case EndReason::requested: return "requested";
    case EndReason::disabled: return "disabled";
    case EndReason::drained: return "drained";
    case EndReason::node_lost: return "node_lost";
    case EndReason::unavailable: return "unavailable";
    case EndReason::too_many: return "too_many";
  }
  return "unknown";
}

std::string_view name_of(TransactionType type) noexcept {
  switch (type) {
    case TransactionType::purchase: return "purchase";
    case TransactionType::bonus: return "bonus";
    case TransactionType::usage: return "usage";
    case TransactionType::refund: return "refund";
    case TransactionType::adjustment: return "adjustment";
  }
  return "unknown";
}

std::optional<TransactionType> parse_transaction_type(std::string_view name) noexcept {
  using enum TransactionType;
  return find_by_name(std::array{purchase, bonus, usage, refund, adjustment}, name);
}

}  // namespace payg::billing
