#pragma once

#include <memory>
#include <string>

#include "billing/ledger/ledger.h"
#include "billing/ledger/postgres_connection.h"

namespace payg::billing {

/// The books in PostgreSQL, for any number of nodes. What each call does stands in ledger.h.
///
/// Every call is one transaction in one round trip, or a few of them: whatever it locks is not held while the
/// server waits for us, so a node that is paused or cut off holds up nobody, unless that happens between two
/// segments of one large batch: then its users stay locked until the server gives the connection up, which is
/// what its tcp_keepalives_idle is for. READ COMMITTED, in which each statement sees what was committed
/// before it began (https://www.postgresql.org/docs/15/transaction-iso.html#XACT-READ-COMMITTED): a first
/// statement locks the users' rows of user_credits in the order of their ids, the next one reads and writes.
/// Batches leave out the users whose rows somebody else has locked, and answer `later` for them; who stands
/// in line is waited for. Keeps nothing in the database session, so it works behind PgBouncer in transaction
/// mode.
class PostgresLedger final : public Ledger {
 public:
  /// `hosts` is shared by all ledgers of one URL. `clock` outlives the ledger.
  PostgresLedger(std::shared_ptr<PostgresHosts> hosts, const Clock& clock)
      : connection_(std::move(hosts), clock) {}

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
  PostgresConnection connection_;
};

}  // namespace payg::billing
