#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "billing/ledger/ledger.h"

namespace payg::billing {

// What both ledgers hold their arguments to, and how both write things down. Pure.

/// `invalid`, or nothing when the argument keeps the rules stated in ledger.h.
std::optional<LedgerError> check_new_user(std::string_view name, std::string_view email);
std::optional<LedgerError> check_adjustment(Credits amount, std::string_view reference,
                                            std::string_view note);
std::optional<LedgerError> check_new_order(const Order& order);
std::optional<LedgerError> check_charge(const ChargeRequest& request);
std::optional<LedgerError> check_page(int limit);
std::optional<LedgerError> check_location(const plugin::Location& location);
std::optional<LedgerError> check_network(const Cidr& network);

/// Whether `asked` is the order that `found` is already, so that placing it again changes nothing.
bool same_order(const Order& found, const Order& asked);

/// One row of what users have listed: a user and one of his networks, which is empty when he has none.
struct NetworkRow {
  UserId user;
  std::string user_name;
  std::int64_t change = 0;
  std::string network;
  WallTime added_at{};
  std::optional<WallTime> confirmed_at{};
};
/// Makes lists of them. REQUIRES: the rows of one user come after each other.
LedgerResult<std::vector<NetworkList>> gather_networks(const std::vector<NetworkRow>& rows);
/// nullptr: it is not on the list.
const ListedNetwork* find_network(const NetworkList& list, const Cidr& network);

constexpr std::int64_t to_ms(WallTime time) noexcept {
  return time.time_since_epoch().count();
}
constexpr WallTime from_ms(std::int64_t ms) noexcept {
  return WallTime(std::chrono::milliseconds(ms));
}
constexpr std::int64_t to_integer(UserId id) noexcept {
  return static_cast<std::int64_t>(id.value);
}
constexpr std::int64_t to_integer(SessionId id) noexcept {
  return static_cast<std::int64_t>(id.value);
}
constexpr UserId to_user_id(std::int64_t value) noexcept {
  return UserId{static_cast<std::uint64_t>(value)};
}
constexpr SessionId to_session_id(std::int64_t value) noexcept {
  return SessionId{static_cast<std::uint64_t>(value)};
}

constexpr std::int64_t to_integer(NodeLife life) noexcept {
  return static_cast<std::int64_t>(life.value);
}
constexpr NodeLife to_node_life(std::int64_t value) noexcept {
  return NodeLife{static_cast<std::uint64_t>(value)};
}

constexpr std::chrono::milliseconds length_of(UsageBucket bucket) noexcept {
  return bucket == UsageBucket::hour ? std::chrono::hours(1) : std::chrono::hours(24);
}

/// What rows of a history are compared with: the names of the types, in commas; empty: all of them.
std::string types_text(const TransactionFilter& filter);

/// What a charge comes to when (session, number) was bought before or just now.
constexpr ChargeResult::Outcome outcome_of(std::chrono::milliseconds grant) noexcept {
  return grant.count() > 0 ? ChargeResult::Outcome::granted : ChargeResult::Outcome::exhausted;
}

LedgerError no_such_user();
LedgerError no_such_order();
LedgerError token_taken();
LedgerError too_much();  ///< the balance would leave the 64 bits
LedgerError same_reference_other_content();
LedgerError same_key_other_content();
LedgerError not_covered();
LedgerError network_taken();
LedgerError no_such_network();
LedgerError too_many_networks();
LedgerError life_is_over();  ///< of a node
LedgerError unreadable(std::string_view what);

/// Sessions that one call of post_usage or end_lost_sessions handles at most, so that their users' charges do
/// not wait for long.
inline constexpr int posting_portion = 1000;
/// Findings of one kind that an audit lists at most.
constexpr std::int64_t findings_of_a_kind(AuditListing listing) noexcept {
  return listing == AuditListing::all ? INT64_MAX : 1000;
}

}  // namespace payg::billing
