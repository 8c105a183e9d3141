#include "tests/fakes/failing_ledger.h"

namespace payg::test {

using namespace billing;

void LedgerFaults::set(LedgerFault fault) {
  const std::scoped_lock lock(mutex_);
  lasting_ = fault;
  next_calls_ = 0;
}

void LedgerFaults::set_next(int calls, LedgerFault fault) {
  const std::scoped_lock lock(mutex_);
  next_ = fault;
  next_calls_ = calls;
}

void LedgerFaults::set_after(int calls, LedgerFault fault) {
  const std::scoped_lock lock(mutex_);
  lasting_ = fault;
  next_ = LedgerFault::none;
  next_calls_ = calls;
}

std::int64_t LedgerFaults::calls() const {
  const std::scoped_lock lock(mutex_);
  return calls_;
}

LedgerFault LedgerFaults::take() {
  const std::scoped_lock lock(mutex_);
  ++calls_;
  if (next_calls_ == 0) return lasting_;
  --next_calls_;
  return next_;
}

template <class Call>
auto FailingLedger::attempt(Call call) -> decltype(call()) {
  const LedgerError away{LedgerError::Code::unavailable, "the test says so"};
  switch (faults_->take()) {
    case LedgerFault::none: return call();
    case LedgerFault::refused: return away;
    case LedgerFault::answer_lost: (void)call(); return away;
  }
  return away;
}

LedgerResult<int> FailingLedger::migrate() {
  return attempt([&] { return ledger_->migrate(); });
}

LedgerResult<int> FailingLedger::schema() {
  return attempt([&] { return ledger_->schema(); });
}

LedgerResult<User> FailingLedger::create_user(std::string_view name, std::string_view email,
                                              const TokenHash& token, WallTime at) {
  return attempt([&] { return ledger_->create_user(name, email, token, at); });
}

LedgerResult<Done> FailingLedger::set_token(UserId user, const TokenHash& token, WallTime at) {
  return attempt([&] { return ledger_->set_token(user, token, at); });
}

LedgerResult<Done> FailingLedger::set_state(UserId user, UserState state, WallTime at) {
  return attempt([&] { return ledger_->set_state(user, state, at); });
}

LedgerResult<Done> FailingLedger::set_location(UserId user, const plugin::Location& location, WallTime at) {
  return attempt([&] { return ledger_->set_location(user, location, at); });
}

LedgerResult<User> FailingLedger::find_user(std::string_view name) {
  return attempt([&] { return ledger_->find_user(name); });
}

LedgerResult<User> FailingLedger::find_user(const TokenHash& token) {
  return attempt([&] { return ledger_->find_user(token); });
}

LedgerResult<std::vector<UserOverview>> FailingLedger::list_users() {
  return attempt([&] { return ledger_->list_users(); });
}

LedgerResult<std::vector<std::optional<Standing>>> FailingLedger::standings(
    std::span<const std::string> names, std::uint32_t session_limit) {
  return attempt([&] { return ledger_->standings(names, session_limit); });
}

LedgerResult<NetworkChange> FailingLedger::add_network(UserId user, const Cidr& network, NetworkClaim claim,
                                                       WallTime at) {
  return attempt([&] { return ledger_->add_network(user, network, claim, at); });
}

LedgerResult<NetworkChange> FailingLedger::confirm_network(UserId user, const Cidr& network, WallTime at) {
  return attempt([&] { return ledger_->confirm_network(user, network, at); });
}

LedgerResult<NetworkChange> FailingLedger::remove_network(UserId user, const Cidr& network, WallTime at) {
  return attempt([&] { return ledger_->remove_network(user, network, at); });
}

LedgerResult<std::vector<NetworkList>> FailingLedger::networks(std::optional<UserId> user) {
  return attempt([&] { return ledger_->networks(user); });
}

LedgerResult<NodeStart> FailingLedger::start_node(std::string_view node, std::chrono::milliseconds lease,
                                                  WallTime at) {
  return attempt([&] { return ledger_->start_node(node, lease, at); });
}

LedgerResult<Done> FailingLedger::renew_lease(const NodeRef& node, std::chrono::milliseconds lease) {
  return attempt([&] { return ledger_->renew_lease(node, lease); });
}

LedgerResult<Changes> FailingLedger::changes_since(std::string_view node, std::optional<ChangeMark> mark) {
  return attempt([&] { return ledger_->changes_since(node, mark); });
}

LedgerResult<LostPortion> FailingLedger::end_lost_sessions(const NodeSign& last_sign, WallTime at) {
  return attempt([&] { return ledger_->end_lost_sessions(last_sign, at); });
}

LedgerResult<std::vector<ChargeResult>> FailingLedger::charge(const NodeRef& node,
                                                              std::span<const ChargeRequest> requests) {
  return attempt([&] { return ledger_->charge(node, requests); });
}

LedgerResult<std::vector<EndResult>> FailingLedger::end_sessions(std::span<const EndRequest> requests) {
  return attempt([&] { return ledger_->end_sessions(requests); });
}

LedgerResult<Posting> FailingLedger::post_usage(std::string_view node, WallTime older_than, WallTime at) {
  return attempt([&] { return ledger_->post_usage(node, older_than, at); });
}

LedgerResult<std::vector<SessionRow>> FailingLedger::live_sessions(std::optional<UserId> user) {
  return attempt([&] { return ledger_->live_sessions(user); });
}

LedgerResult<std::vector<SessionRow>> FailingLedger::ended_sessions(UserId user,
                                                                    std::optional<EndedBefore> before,
                                                                    int limit) {
  return attempt([&] { return ledger_->ended_sessions(user, before, limit); });
}

LedgerResult<Credits> FailingLedger::balance(UserId user) {
  return attempt([&] { return ledger_->balance(user); });
}

LedgerResult<Standing> FailingLedger::standing(UserId user) {
  return attempt([&] { return ledger_->standing(user); });
}

LedgerResult<Transaction> FailingLedger::adjust(UserId user, Credits amount, std::string_view reference,
                                                std::string_view note, WallTime at) {
  return attempt([&] { return ledger_->adjust(user, amount, reference, note, at); });
}

LedgerResult<PlacedOrder> FailingLedger::create_order(const Order& order) {
  return attempt([&] { return ledger_->create_order(order); });
}

LedgerResult<Order> FailingLedger::settle_order(std::string_view reference, WallTime at) {
  return attempt([&] { return ledger_->settle_order(reference, at); });
}

LedgerResult<Order> FailingLedger::find_order(std::string_view reference) {
  return attempt([&] { return ledger_->find_order(reference); });
}

LedgerResult<std::vector<Transaction>> FailingLedger::transactions(UserId user,
                                                                   const TransactionFilter& filter,
                                                                   std::optional<std::int64_t> before,
                                                                   int limit) {
  return attempt([&] { return ledger_->transactions(user, filter, before, limit); });
}

LedgerResult<std::vector<UsageRow>> FailingLedger::usage(UserId user, UsageBucket bucket, WallTime since,
                                                         WallTime now) {
  return attempt([&] { return ledger_->usage(user, bucket, since, now); });
}

LedgerResult<AuditReport> FailingLedger::audit(AuditListing listing) {
  return attempt([&] { return ledger_->audit(listing); });
}

LedgerFactory failing(LedgerFactory factory, std::shared_ptr<LedgerFaults> faults) {
  return [factory = std::move(factory), faults = std::move(faults)] {
    return std::make_unique<FailingLedger>(factory(), faults);
  };
}

}  // namespace payg::test
