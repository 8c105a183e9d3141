#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "billing/ledger/ledger.h"

namespace payg::test {

/// How a call to a FailingLedger goes.
enum class LedgerFault {
  none,         ///< as the ledger behind it answers
  refused,      ///< `unavailable`, and nothing was done
  answer_lost,  ///< it was done, but the answer is `unavailable`
};

/// Says how calls go; shared by the test and any number of FailingLedgers. Thread-safe.
class LedgerFaults {
 public:
  /// From now on, until told otherwise.
  void set(LedgerFault fault);
  /// The next `calls` calls, before what set() said counts again.
  void set_next(int calls, LedgerFault fault);
  /// All calls but the next `calls`, until told otherwise.
  void set_after(int calls, LedgerFault fault);
  /// Calls made so far, on all ledgers that share this.
  std::int64_t calls() const;

  /// For FailingLedger: counts a call and says how it goes.
  LedgerFault take();

 private:
  mutable std::mutex mutex_;
  // guarded by mutex_:
  LedgerFault lasting_ = LedgerFault::none;
  LedgerFault next_ = LedgerFault::none;
  int next_calls_ = 0;
  std::int64_t calls_ = 0;
};

/// A real ledger that fails on demand. A test that needs to be in one of its calls derives from it.
class FailingLedger : public billing::Ledger {
 public:
  FailingLedger(std::unique_ptr<Ledger> ledger, std::shared_ptr<LedgerFaults> faults)
      : ledger_(std::move(ledger)), faults_(std::move(faults)) {}

  billing::LedgerResult<int> migrate() override;
  billing::LedgerResult<int> schema() override;

  billing::LedgerResult<billing::User> create_user(std::string_view name, std::string_view email,
                                                   const billing::TokenHash& token, WallTime at) override;
  billing::LedgerResult<Done> set_token(billing::UserId user, const billing::TokenHash& token,
                                        WallTime at) override;
  billing::LedgerResult<Done> set_state(billing::UserId user, billing::UserState state, WallTime at) override;
  billing::LedgerResult<Done> set_location(billing::UserId user, const plugin::Location& location,
                                           WallTime at) override;
  billing::LedgerResult<billing::User> find_user(std::string_view name) override;
  billing::LedgerResult<billing::User> find_user(const billing::TokenHash& token) override;
  billing::LedgerResult<std::vector<billing::UserOverview>> list_users() override;
  billing::LedgerResult<std::vector<std::optional<billing::Standing>>> standings(
      std::span<const std::string> names, std::uint32_t session_limit) override;

  billing::LedgerResult<billing::NetworkChange> add_network(billing::UserId user, const Cidr& network,
                                                            billing::NetworkClaim claim,
                                                            WallTime at) override;
  billing::LedgerResult<billing::NetworkChange> confirm_network(billing::UserId user, const Cidr& network,
                                                                WallTime at) override;
  billing::LedgerResult<billing::NetworkChange> remove_network(billing::UserId user, const Cidr& network,
                                                               WallTime at) override;
  billing::LedgerResult<std::vector<billing::NetworkList>> networks(
      std::optional<billing::UserId> user) override;
  billing::LedgerResult<std::vector<billing::SessionRow>> ended_sessions(
      billing::UserId user, std::optional<billing::EndedBefore> before, int limit) override;

  billing::LedgerResult<billing::NodeStart> start_node(std::string_view node, std::chrono::milliseconds lease,
                                                       WallTime at) override;
  billing::LedgerResult<Done> renew_lease(const billing::NodeRef& node,
                                          std::chrono::milliseconds lease) override;
  billing::LedgerResult<billing::Changes> changes_since(std::string_view node,
                                                        std::optional<billing::ChangeMark> mark) override;
  billing::LedgerResult<billing::LostPortion> end_lost_sessions(const billing::NodeSign& last_sign,
                                                                WallTime at) override;

  billing::LedgerResult<std::vector<billing::ChargeResult>> charge(
      const billing::NodeRef& node, std::span<const billing::ChargeRequest> requests) override;
  billing::LedgerResult<std::vector<billing::EndResult>> end_sessions(
      std::span<const billing::EndRequest> requests) override;
  billing::LedgerResult<billing::Posting> post_usage(std::string_view node, WallTime older_than,
                                                     WallTime at) override;
  billing::LedgerResult<std::vector<billing::SessionRow>> live_sessions(
      std::optional<billing::UserId> user) override;

  billing::LedgerResult<billing::Credits> balance(billing::UserId user) override;
  billing::LedgerResult<billing::Standing> standing(billing::UserId user) override;
  billing::LedgerResult<billing::Transaction> adjust(billing::UserId user, billing::Credits amount,
                                                     std::string_view reference, std::string_view note,
                                                     WallTime at) override;
  billing::LedgerResult<billing::PlacedOrder> create_order(const billing::Order& order) override;
  billing::LedgerResult<billing::Order> settle_order(std::string_view reference, WallTime at) override;
  billing::LedgerResult<billing::Order> find_order(std::string_view reference) override;

  billing::LedgerResult<std::vector<billing::Transaction>> transactions(
      billing::UserId user, const billing::TransactionFilter& filter, std::optional<std::int64_t> before,
      int limit) override;
  billing::LedgerResult<std::vector<billing::UsageRow>> usage(billing::UserId user,
                                                              billing::UsageBucket bucket, WallTime since,
                                                              WallTime now) override;
  billing::LedgerResult<billing::AuditReport> audit(billing::AuditListing listing) override;

 private:
  template <class Call>
  auto attempt(Call call) -> decltype(call());

  std::unique_ptr<Ledger> ledger_;
  std::shared_ptr<LedgerFaults> faults_;
};

/// A factory whose ledgers all fail as `faults` says.
billing::LedgerFactory failing(billing::LedgerFactory factory, std::shared_ptr<LedgerFaults> faults);

}  // namespace payg::test
