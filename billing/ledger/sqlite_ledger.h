#pragma once

#include <string>

#include "billing/ledger/ledger.h"
#include "billing/ledger/sqlite_database.h"

namespace payg::billing {

/// The books in one SQLite file, for one node and the operator's tool beside it. What each call does stands
/// in ledger.h.
class SqliteLedger final : public Ledger {
 public:
  explicit SqliteLedger(std::string path) : database_(std::move(path)) {}

  LedgerResult<int> migrate() override;
  LedgerResult<int> schema() override;

  LedgerResult<User> create_user(std::string_view name, std::string_view email, const TokenHash& token,
                                 WallTime at) override;
  LedgerResult<Done> set_token(UserId user, const TokenHash& token, WallTime at) override;
  LedgerResult<Done> set_state(UserId user, UserState state, WallTime at) override;
  LedgerResult<Done> set_location(UserId user, const plugin::Location& location, WallTime at) override;
  LedgerResult<User> find_user(std::string_view name) override;
  LedgerResult<User> find_user(const TokenHash& token) override;
  LedgerResult<std::vector<UserOverview>> list_users() override;
  LedgerResult<std::vector<std::optional<Standing>>> standings(std::span<const std::string> names,
                                                               std::uint32_t session_limit) override;

  LedgerResult<NetworkChange> add_network(UserId user, const Cidr& network, NetworkClaim claim,
                                          WallTime at) override;
  LedgerResult<NetworkChange> confirm_network(UserId user, const Cidr& network, WallTime at) override;
  LedgerResult<NetworkChange> remove_network(UserId user, const Cidr& network, WallTime at) override;
  LedgerResult<std::vector<NetworkList>> networks(std::optional<UserId> user) override;

  LedgerResult<NodeStart> start_node(std::string_view node, std::chrono::milliseconds lease,
                                     WallTime at) override;
  LedgerResult<Done> renew_lease(const NodeRef& node, std::chrono::milliseconds lease) override;
  LedgerResult<Changes> changes_since(std::string_view node, std::optional<ChangeMark> mark) override;
  LedgerResult<LostPortion> end_lost_sessions(const NodeSign& last_sign, WallTime at) override;

  LedgerResult<std::vector<ChargeResult>> charge(const NodeRef& node,
                                                 std::span<const ChargeRequest> requests) override;
  LedgerResult<std::vector<EndResult>> end_sessions(std::span<const EndRequest> requests) override;
  LedgerResult<Posting> post_usage(std::string_view node, WallTime older_than, WallTime at) override;
  LedgerResult<std::vector<SessionRow>> live_sessions(std::optional<UserId> user) override;
  LedgerResult<std::vector<SessionRow>> ended_sessions(UserId user, std::optional<EndedBefore> before,
                                                       int limit) override;

  LedgerResult<Credits> balance(UserId user) override;
  LedgerResult<Standing> standing(UserId user) override;
  LedgerResult<Transaction> adjust(UserId user, Credits amount, std::string_view reference,
                                   std::string_view note, WallTime at) override;
  LedgerResult<PlacedOrder> create_order(const Order& order) override;
  LedgerResult<Order> settle_order(std::string_view reference, WallTime at) override;
  LedgerResult<Order> find_order(std::string_view reference) override;

  LedgerResult<std::vector<Transaction>> transactions(UserId user, const TransactionFilter& filter,
                                                      std::optional<std::int64_t> before, int limit) override;
  LedgerResult<std::vector<UsageRow>> usage(UserId user, UsageBucket bucket, WallTime since,
                                            WallTime now) override;
  LedgerResult<AuditReport> audit(AuditListing listing) override;

 private:
  SqliteDatabase database_;
};

}  // namespace payg::billing
