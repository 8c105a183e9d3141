#include "billing/ledger/ledger.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "plugin/base/text.h"

namespace payg::billing {
namespace {

constexpr std::size_t session_id_digits = 16;

template <class Enum, std::size_t count>
std::optional<Enum> find_by_name(const std::array<Enum, count>& all, std::string_view name) noexcept {
  const auto found = std::find_if(all.begin(), all.end(), [&](Enum one) { return name_of(one) == name; });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

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

std::string_view name_of(OrderState state) noexcept {
  switch (state) {
    case OrderState::pending: return "pending";
    case OrderState::paid: return "paid";
    case OrderState::failed: return "failed";
    case OrderState::abandoned: return "abandoned";
    case OrderState::expired: return "expired";
    case OrderState::review: return "review";
    case OrderState::refunded: return "refunded";
    case OrderState::disputed: return "disputed";
  }
  return "unknown";
}

std::optional<TransactionType> parse_transaction_type(std::string_view name) noexcept {
  using enum TransactionType;
  return find_by_name(std::array{purchase, bonus, usage, refund, adjustment}, name);
}

std::optional<OrderState> parse_order_state(std::string_view name) noexcept {
  using enum OrderState;
  return find_by_name(std::array{pending, paid, failed, abandoned, expired, review, refunded, disputed},
                      name);
}

}  // namespace payg::billing
