#include "billing/reception.h"

#include <utility>

#include "billing/denials.h"
#include "billing/payments/secrets.h"
#include "plugin/base/spread_bits.h"

namespace payg::billing {
namespace {

/// A user name as a client wrote it: what it says, or who it would be and what is wrong behind that.
struct WireName {
  UserName name;
  std::optional<UserNameError> flaw;
};

Result<WireName, plugin::Denial> read_wire_name(std::string_view text) {
  auto name = parse_user_name(text);
  if (name) return WireName{*std::move(name), std::nullopt};
  if (auto user = user_of(text)) return WireName{{.user = *std::move(user)}, name.error()};
  // Nobody can have that name. Empty or endless it is no name at all; otherwise its writer is told what is
  // wrong with it.
  if (name.error() == UserNameError::bad_user) return denials::bad_user_name(describe(name.error()));
  return denials::bad_credentials();
}

plugin::Authentication identify(const User& user, WireName name, const Proof& proof) {
  return {std::make_unique<BillingIdentity>(user, std::move(name.name), name.flaw, proof)};
}

/// Any key of a location in the name replaces the user's own altogether.
plugin::Location location_for(const User& user, const UserName& name) {
  plugin::Location asked{.country = name.country, .state = name.state, .city = name.city, .isp = name.isp};
  return asked.empty() ? user.location : asked;
}

/// The same for (user, label) on every node that shares the ledger; FNV-1a
/// (https://datatracker.ietf.org/doc/html/draft-eastlake-fnv).
std::uint64_t affinity_of(UserId user, std::string_view label) {
  constexpr std::uint64_t prime = 0x100000001b3U;
  std::uint64_t hash = spread_bits(user.value);
  for (const char byte : label) hash = (hash ^ static_cast<unsigned char>(byte)) * prime;
  return hash;
}

plugin::Admission admission(UserId user, const Seat& seat, std::string_view label,
                            const plugin::Location& location) {
  return {.session = seat.session,
          .location = location,
          .traffic = seat.traffic,
          .affinity = affinity_of(user, label)};
}

/// 0.0.0.0 when the proxy does not know: all of those share one allowance.
IpAddress address_of(const sockaddr* client) {
  const auto address = client == nullptr ? std::nullopt : SocketAddress::from(client);
  return address ? address->ip() : IpAddress();
}

}  // namespace

BillingIdentity::BillingIdentity(const User& who, UserName wire_name, std::optional<UserNameError> wire_flaw,
                                 Proof proof_of_it)
    : user_id(who.id),
      proof(proof_of_it),
      name(std::move(wire_name)),
      location(location_for(who, name)),
      flaw(wire_flaw) {
  user = who.id.value;
  display_name = name.user;
}

struct Reception::Caller {
  WireName name;
  TokenHash token;
  IpAddress client;
  FailureLimit::Stake stake;
  RecentRefusals::Question question;
  plugin::AuthenticationAnswer answer;
};

struct Reception::Visitor {
  NetworkIndex::Owner owner;
  IpAddress client;
  plugin::AuthenticationAnswer answer;
};

struct Reception::Applicant {
  UserId user;
  Proof proof;
  std::string name, label;
  plugin::Location location;
  plugin::SessionHandle attached;
  bool left_just_now;  // a session of the user has ended, and the ledger may not know yet
  RecentRefusals::Question question;
  plugin::AdmissionAnswer answer;
};

// ---- who is it?

void Reception::authenticate(const plugin::AuthenticationRequest& request,
                             plugin::AuthenticationAnswer answer) {
  if (!request.has_credentials) return authenticate_visitor(request, std::move(answer));
  auto wire = read_wire_name(request.name);
  if (!wire) return answer.deny(wire.error());
  // Hashed whether or not it will be looked at: not doing so would tell by the time it takes who is known.
  const TokenHash token = hash_token(request.password);
  const MonotonicTime now = with_.clock.now();
  const auto known = with_.users.find(wire->name.user, now);
  if (known && known->age == UserCache::Age::due) read_again(wire->name.user);
  const IpAddress client = address_of(request.client);
  if (known && equal_in_constant_time(known->user.token, token)) {
    note_presence(known->user, client);
    return answer.accept(identify(known->user, *std::move(wire), token));
  }
  const auto attempt = wrong_tokens_.begin(client, now);
  if (attempt.wait > std::chrono::seconds(0)) {
    throttled_count_.fetch_add(1, std::memory_order_relaxed);
    return answer.deny(denials::too_many_wrong_tokens(attempt.wait));
  }
  if (with_.health.state() == LedgerState::away) {
    wrong_tokens_.did_not_fail(client, attempt.stake);
    return answer.deny(denials::ledger_away());
  }

  const std::string user = wire->name.user;
  auto caller = std::make_shared<Caller>(*std::move(wire), token, client, attempt.stake,
                                         refused_tokens_.ask(now), std::move(answer));
  if (refused_tokens_.find(user, now)) {
    from_memory_count_.fetch_add(1, std::memory_order_relaxed);
    return refuse_token(*caller);
  }
  const auto asked =
      with_.reader.ask(user, [this, caller](const auto& standing) { decide(*caller, standing); });
  if (asked == StandingQueue::Outcome::full) refuse_unread(*caller);
}

/// REQUIRES: his right token came from there.
void Reception::note_presence(const User& user, const IpAddress& client) const {
  if (user.state != UserState::active) return;
  for (const Cidr& network : with_.networks.unconfirmed(user.id, client, with_.clock.now()))
    with_.confirm_network(user.id, network);
}

/// Nobody waits for it; when it fails, what is known stands until it is due again.
void Reception::read_again(const std::string& user) {
  const auto asked = with_.reader.ask(user, [this, user](const StandingQueue::Answer& read) {
    if (!read.ok()) return;
    *read ? with_.users.refresh((*read)->user) : with_.users.forget(user);
  });
  (void)asked;
}

void Reception::refuse_token(Caller& caller) {
  wrong_tokens_count_.fetch_add(1, std::memory_order_relaxed);
  wrong_tokens_.failed(caller.client, caller.stake, with_.clock.now());
  caller.answer.deny(denials::bad_credentials());
}

void Reception::refuse_unread(Caller& caller) {
  wrong_tokens_.did_not_fail(caller.client, caller.stake);
  caller.answer.deny(denials::ledger_away());
}

void Reception::decide(Caller& caller, const StandingQueue::Answer& read) {
  if (!read.ok()) return refuse_unread(caller);
  const std::optional<Standing>& standing = *read;
  // Whatever token he came with: or a guesser who is quick enough would keep the one who has the right one
  // out, as somebody who was refused a moment ago.
  if (standing) with_.users.remember(standing->user, with_.clock.now());
  if (!standing || !equal_in_constant_time(standing->user.token, caller.token)) {
    refused_tokens_.remember(caller.name.name.user, caller.question, Refusal::wrong_token);
    return refuse_token(caller);
  }
  wrong_tokens_.did_not_fail(caller.client, caller.stake);
  note_presence(standing->user, caller.client);
  caller.answer.accept(identify(standing->user, caller.name, caller.token));
}

/// Who has not listed where he comes from is told to show a token, and not counted as one who showed a wrong
/// one. So is who comes from where a disabled user has listed: it may be somebody else, who has one.
void Reception::authenticate_visitor(const plugin::AuthenticationRequest& request,
                                     plugin::AuthenticationAnswer answer) {
  if (request.client == nullptr) return answer.deny(denials::bad_credentials());
  // Nothing has been read yet of who has listed what.
  if (state_ == State::not_yet_open) return answer.deny(denials::ledger_away());
  const IpAddress client = address_of(request.client);
  auto owner = with_.networks.find(client);
  if (!owner) return answer.deny(denials::bad_credentials());
  const auto known = with_.users.find(owner->name, with_.clock.now());
  if (known && known->age == UserCache::Age::due) read_again(owner->name);
  if (known && known->user.state == UserState::disabled) return answer.deny(denials::bad_credentials());
  if (known && known->user.id == owner->user)
    return answer.accept(identify(known->user, {{.user = owner->name}, std::nullopt}, client));
  if (with_.health.state() == LedgerState::away) return answer.deny(denials::ledger_away());

  const std::string user = owner->name;
  auto visitor = std::make_shared<Visitor>(*std::move(owner), client, std::move(answer));
  const auto asked =
      with_.reader.ask(user, [this, visitor](const auto& standing) { decide(*visitor, standing); });
  if (asked == StandingQueue::Outcome::full) visitor->answer.deny(denials::ledger_away());
}

void Reception::decide(Visitor& visitor, const StandingQueue::Answer& read) {
  if (!read.ok()) return visitor.answer.deny(denials::ledger_away());
  const std::optional<Standing>& standing = *read;
  if (standing) with_.users.remember(standing->user, with_.clock.now());
  const bool speaks_for_him =
      standing && standing->user.state == UserState::active && is_proven(standing->user, visitor.client);
  if (!speaks_for_him) return visitor.answer.deny(denials::bad_credentials());
  visitor.answer.accept(
      identify(standing->user, {{.user = visitor.owner.name}, std::nullopt}, visitor.client));
}

bool Reception::is_proven(const User& user, const Proof& proof) const {
  if (const auto* token = std::get_if<TokenHash>(&proof)) return equal_in_constant_time(user.token, *token);
  const auto owner = with_.networks.find(std::get<IpAddress>(proof));
  return owner && owner->user == user.id;
}

// ---- may he in?

void Reception::admit(const plugin::AdmissionRequest& request, plugin::AdmissionAnswer answer) {
  const auto& who = static_cast<const BillingIdentity&>(request.identity);
  if (who.flaw) return answer.deny(denials::bad_user_name(describe(*who.flaw)));
  const State state = state_;
  if (state == State::closed) return answer.deny(denials::stopping());
  if (is_free(request)) return admit_free(who, answer);
  if (const auto seat = with_.table.join_live(who.user_id, who.name.label, request.attached))
    return answer.accept(admission(who.user_id, *seat, who.name.label, who.location));
  if (state != State::open || with_.health.state() == LedgerState::away)
    return answer.deny(denials::ledger_away());
  const MonotonicTime now = with_.clock.now();
  // Before anything else is looked up: an end that comes later is one that the answer may have missed.
  const std::uint64_t ends = with_.table.ends_of(who.user_id);
  if (const auto why = refused_starts_.find(who.name.user, now, ends)) {
    from_memory_count_.fetch_add(1, std::memory_order_relaxed);
    return answer.deny(denial_for(*why));
  }

  auto applicant = std::make_shared<Applicant>(
      who.user_id, who.proof, who.name.user, who.name.label, who.location, request.attached,
      with_.table.has_end_under_way(who.user_id), refused_starts_.ask(now, ends), std::move(answer));
  const auto asked = with_.reader.ask(
      who.name.user, [this, applicant](const auto& standing) { decide(*applicant, standing); });
  if (asked == StandingQueue::Outcome::full) applicant->answer.deny(denials::ledger_away());
}

bool Reception::is_free(const plugin::AdmissionRequest& request) const {
  if (!has_free_targets_) return false;
  const std::shared_lock lock(free_targets_mutex_);
  return any_matches(free_targets_, request.target_host, request.target_port);
}

/// Who was believed a moment ago is remembered; if he has been pushed out meanwhile, that was not long ago
/// either.
void Reception::admit_free(const BillingIdentity& who, plugin::AdmissionAnswer& answer) const {
  const auto known = with_.users.find(who.name.user, with_.clock.now());
  if (known && known->user.state == UserState::disabled) return answer.deny(denials::disabled());
  answer.accept({.session = {},
                 .location = who.location,
                 .traffic = nullptr,
                 .affinity = affinity_of(who.user_id, who.name.label)});
}

void Reception::decide(Applicant& applicant, const StandingQueue::Answer& read) {
  // It may have been closed while the ledger was asked.
  if (is_closed()) return applicant.answer.deny(denials::stopping());
  if (!read.ok()) return applicant.answer.deny(denials::ledger_away());
  const std::optional<Standing>& standing = *read;
  const bool is_gone = !standing || standing->user.id != applicant.user;
  if (is_gone) return applicant.answer.deny(denials::disabled());
  if (!is_proven(standing->user, applicant.proof)) {
    with_.users.refresh(standing->user);
    return applicant.answer.deny(denials::bad_credentials());
  }
  const auto why = reason_to_refuse(applicant, *standing);
  if (!why) return let_in(applicant);
  refused_starts_.remember(applicant.name, applicant.question, *why);
  applicant.answer.deny(denial_for(*why));
}

std::optional<Refusal> Reception::reason_to_refuse(const Applicant& applicant,
                                                   const Standing& standing) const {
  if (standing.user.state == UserState::disabled) return Refusal::disabled;
  if (!may_start_now(applicant, standing))
    return standing.balance <= Credits{} ? Refusal::no_money : Refusal::too_little_to_start;
  if (is_at_limit(applicant, standing)) return Refusal::too_many_sessions;
  return std::nullopt;
}

plugin::Denial Reception::denial_for(Refusal why) const {
  switch (why) {
    case Refusal::wrong_token: return denials::bad_credentials();
    case Refusal::disabled: return denials::disabled();
    case Refusal::too_many_sessions: return denials::session_limit();
    case Refusal::no_money:
    case Refusal::too_little_to_start: break;
  }
  return denials::payment_required(shop_url());
}

bool Reception::may_start_now(const Applicant& applicant, const Standing& standing) const {
  const WallTime now = with_.clock.wall_now();
  const auto last_end = applicant.left_just_now ? std::optional(now) : standing.last_session_end;
  const std::lock_guard lock(mutex_);
  return may_start(standing.balance, last_end, terms_, now) == StartVerdict::may_start;
}

/// What stands in the ledger may be behind: charge 1 decides, and this only spares the user from being cut by
/// it.
bool Reception::is_at_limit(const Applicant& applicant, const Standing& standing) const {
  const std::uint32_t limit = session_limit_;
  return limit > 0 && standing.live_sessions >= std::int64_t{limit} && !applicant.left_just_now;
}

void Reception::let_in(Applicant& applicant) {
  const auto seat = with_.table.join(applicant.user, applicant.label, applicant.attached);
  if (!seat) return applicant.answer.deny(denials::too_many_sessions());
  applicant.answer.accept(admission(applicant.user, *seat, applicant.label, applicant.location));
}

// ---- settings

void Reception::open() {
  State expected = State::not_yet_open;
  state_.compare_exchange_strong(expected, State::open);
}

void Reception::set_terms(const StartTerms& terms) {
  {
    const std::lock_guard lock(mutex_);
    terms_ = terms;
  }
  refused_starts_.forget_all();
}

void Reception::set_session_limit(std::uint32_t limit) {
  session_limit_ = limit;
  with_.reader.set_session_limit(limit);
  refused_starts_.forget_all();
}

void Reception::user_changed(const std::string& name) {
  refused_tokens_.forget(name);
  refused_starts_.forget(name);
}

ReceptionCounters Reception::counters() const {
  return {.wrong_tokens = wrong_tokens_count_.load(std::memory_order_relaxed),
          .throttled = throttled_count_.load(std::memory_order_relaxed),
          .refused_from_memory = from_memory_count_.load(std::memory_order_relaxed),
          .standing_reads = with_.reader.reads()};
}

void Reception::set_free_targets(std::vector<HostPattern> targets) {
  const std::unique_lock lock(free_targets_mutex_);
  free_targets_ = std::move(targets);
  has_free_targets_ = !free_targets_.empty();
}

void Reception::set_shop_url(const std::string& url) {
  const std::lock_guard lock(mutex_);
  shop_url_ = url;
}

std::string Reception::shop_url() const {
  const std::lock_guard lock(mutex_);
  return shop_url_;
}

}  // namespace payg::billing
