#include "proxy/exit_probes.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "proxy/refusal_kind.h"

namespace payg::proxy {

namespace {

// In one look, so that connections are not held up by many that are due together.
constexpr unsigned most_begun_at_once = 64;

}  // namespace

class ExitProbes::Probe final : public ExitDialHandler {
 public:
  Probe(ExitProbes& owner, std::size_t index, ExitRef exit, Aim aim, MonotonicTime now)
      : owner_(owner),
        exits_(owner.exits_),
        index_(index),
        aim_(aim),
        begun_(now),
        dial_(owner.context_.dial, request(std::move(exit), now), *this) {}

  void start() { dial_.start(); }
  void stop() noexcept { dial_.stop(); }

 private:
  friend class ExitProbes;

  ExitDialRequest request(ExitRef exit, MonotonicTime now) const {
    const auto& probe_target = exits_->probe_target();
    const HostAndPort* const target = aim_ == Aim::target && probe_target ? &*probe_target : nullptr;
    const auto timeout = owner_.context_.dial.connect_timeout;
    return {.exit = std::move(exit),
            .host = target != nullptr ? &target->host : nullptr,
            .port = target != nullptr ? target->port : std::uint16_t{0},
            .scope = DialScope::parent,
            .via = {.pseudonym = owner_.context_.pseudonym},
            .deadline = now + timeout,
            .patience = timeout};
  }
  void on_exit_open(UniqueFd, Buffer) noexcept override { owner_.on_done(*this, nullptr); }
  void on_exit_failed(WayFailure failure) noexcept override { owner_.on_done(*this, &failure); }

  ExitProbes& owner_;
  const std::shared_ptr<const ExitTable> exits_;
  const std::size_t index_;
  const Aim aim_;
  const MonotonicTime begun_;
  ExitDial dial_;
};

ExitProbes::ExitProbes(const WayOutContext& context, ProbeShare share) : context_(context), share_(share) {}

ExitProbes::~ExitProbes() {
  stop();
}

void ExitProbes::stop() noexcept {
  for (auto& probe : probes_) probe->stop();
  std::move(probes_.begin(), probes_.end(), std::back_inserter(done_));
  probes_.clear();
  charges_.clear();
  exits_ = nullptr;
}

void ExitProbes::set_exits(std::shared_ptr<const ExitTable> exits) {
  constexpr std::int64_t shares = 4096;
  exits_ = std::move(exits);
  charges_.clear();
  const MonotonicTime now = context_.dial.clock.now();
  const auto& all = exits_->exits();
  for (std::size_t i = share_.worker; i < all.size(); i += share_.workers) {
    // Spread over the interval by their names.
    const auto share = static_cast<std::int64_t>(all[i]->name_hash() % shares);
    const MonotonicTime in_an_interval = due_while_up(*all[i], now);
    const bool is_never = in_an_interval == MonotonicTime::max();
    charges_.push_back(
        {.exit = all[i], .due = is_never ? in_an_interval : now + (in_an_interval - now) * share / shares});
  }
  first_ = 0;
  next_due_ = now;
  hear_of_troubles();
}

MonotonicTime ExitProbes::due_while_up(const Exit& exit, MonotonicTime now) const noexcept {
  const bool has_nothing_to_try =
      exit.kind() == config::ExitKind::direct && !exit.source() && !exits_->probe_target();
  const bool is_off = exits_->probe_interval() == std::chrono::milliseconds(0);
  return has_nothing_to_try || is_off ? MonotonicTime::max() : now + exits_->probe_interval();
}

void ExitProbes::hear_of_troubles() {
  troubles_heard_ = exits_->troubles();
  const bool probes_those_that_are_up = exits_->probe_interval() != std::chrono::milliseconds(0);
  for (Charge& charge : charges_) {
    const ExitHealth& health = charge.exit->health();
    if (health.failures() == 0 || (health.is_up() && !probes_those_that_are_up)) continue;
    const MonotonicTime retry_at = health.retry_at();
    if (std::exchange(charge.retry_heard, retry_at) == retry_at) continue;
    charge.due = std::min(charge.due, retry_at);
    next_due_ = std::min(next_due_, charge.due);
  }
}

void ExitProbes::look(MonotonicTime now) {
  done_.clear();
  if (exits_ == nullptr) return;
  if (exits_->troubles() != troubles_heard_) hear_of_troubles();
  if (now < next_due_) return;
  next_due_ = MonotonicTime::max();
  std::size_t had_to_wait = charges_.size();
  unsigned begun = 0;
  for (std::size_t n = 0; n < charges_.size(); ++n) {
    const std::size_t index = (first_ + n) % charges_.size();
    Charge& charge = charges_[index];
    if (charge.activity == Activity::under_way) continue;
    if (charge.due <= now) {
      if (probes_.size() < share_.most_at_once && begun < most_begun_at_once) {
        ++begun;
        begin(index, now);
      } else if (had_to_wait == charges_.size()) {
        had_to_wait = index;
      }
    }
    if (charge.activity == Activity::waiting) next_due_ = std::min(next_due_, charge.due);
  }
  if (had_to_wait != charges_.size()) first_ = had_to_wait;
}

void ExitProbes::begin(std::size_t index, MonotonicTime now) {
  Charge& charge = charges_[index];
  const bool is_direct = charge.exit->kind() == config::ExitKind::direct;
  if (is_direct && !exits_->probe_target()) {
    const auto failure = try_source(*charge.exit);
    return judge(charge, failure ? &*failure : nullptr, now, Aim::target);
  }
  charge.activity = Activity::under_way;
  const Aim aim = std::exchange(charge.aim, Aim::target);
  probes_.push_back(std::make_unique<Probe>(*this, index, charge.exit, aim, now));
  probes_.back()->start();
}

std::optional<WayFailure> ExitProbes::try_source(const Exit& exit) const {
  if (!exit.source()) return std::nullopt;
  const UniqueFd fd(
      socket(exit.source()->is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return WayFailure{.failure = DialFailure::exhausted};
  if (bind_to(fd.get(), *exit.source())) return std::nullopt;
  const DialFailure failure = failure_of_bind(errno);
  if (failure == DialFailure::exhausted) return WayFailure{.failure = failure};
  return WayFailure{.failure = failure, .blame = Blame::exit, .why = "its source_address cannot be used"};
}

void ExitProbes::on_done(Probe& probe, const WayFailure* failure) {
  // After a reload the exits are looked after anew.
  if (probe.exits_ == exits_) {
    charges_[probe.index_].activity = Activity::waiting;
    judge(charges_[probe.index_], failure, probe.begun_, probe.aim_);
  }
  const auto at = std::find_if(probes_.begin(), probes_.end(),
                               [&](const auto& candidate) { return candidate.get() == &probe; });
  done_.push_back(std::move(*at));
  probes_.erase(at);
}

void ExitProbes::judge(Charge& charge, const WayFailure* failure, MonotonicTime begun, Aim aim) {
  context_.counters.exit_probes_total.fetch_add(1, std::memory_order_relaxed);
  const bool is_direct = charge.exit->kind() == config::ExitKind::direct;
  std::optional<WayFailure> of_source;
  if (failure != nullptr && failure->blame != Blame::exit && is_direct) {
    // There is no parent to answer: that it is there shows in its source address alone.
    of_source = try_source(*charge.exit);
    if (of_source) failure = &*of_source;
  }
  if (failure == nullptr) {
    aim == Aim::target ? note_success(charge, begun) : note_reached(charge);
  } else if (failure->failure == DialFailure::exhausted) {
    charge.due = context_.dial.clock.now() + std::chrono::seconds(1);  // says nothing of the exit
  } else {
    context_.counters.exit_probe_failures_total.fetch_add(1, std::memory_order_relaxed);
    switch (failure->blame) {
      case Blame::exit: note_failure(charge, failure->why); break;
      case Blame::target: note_missed_target(charge, failure->failure); break;
      case Blame::nobody: is_direct ? note_reached(charge) : look_at_parent_alone(charge); break;
    }
  }
  next_due_ = std::min(next_due_, charge.due);
}

void ExitProbes::note_success(Charge& charge, MonotonicTime begun) {
  const Exit& exit = *charge.exit;
  const bool is_whole = exits_->probe_target() || exit.kind() == config::ExitKind::direct;
  exits_->note_success(exit, is_whole ? ExitHealth::Evidence::whole : ExitHealth::Evidence::reached);
  if (exits_->probe_target()) exits_->note_target_answer(begun);
  charge.missed_target_at.reset();
  charge.blamed_at.reset();
  charge.due = due_while_up(exit, context_.dial.clock.now());
}

void ExitProbes::note_failure(Charge& charge, const std::string& why) {
  exits_->note_failure(*charge.exit, ExitHealth::Source::probe, why, context_.dial.clock.now());
  charge.blamed_at.reset();
  charge.due = charge.retry_heard = charge.exit->health().retry_at();
}

void ExitProbes::note_missed_target(Charge& charge, DialFailure failure) {
  const MonotonicTime now = context_.dial.clock.now();
  const auto missed_before = std::exchange(charge.missed_target_at, now);
  // An answer to a probe that began before the target was missed may be older than its end.
  if (missed_before && exits_->target_answered_since(*missed_before)) {
    note_failure(charge, "the probe target is not reached through it: " +
                             std::string(row_of(kind_of(failure)).detail));
    charge.blamed_at = now;
    return;
  }
  note_reached(charge);
}

void ExitProbes::note_reached(Charge& charge) {
  const MonotonicTime now = context_.dial.clock.now();
  // Long enough for each of the others to have been probed.
  const auto blamed_for = 2 * exits_->probe_interval();
  const bool is_still_blamed = charge.blamed_at && now - *charge.blamed_at < blamed_for;
  if (is_still_blamed && !charge.exit->health().is_up()) return put_off(charge);
  // It is there, and it may well be the target that is gone: that must not keep customers out.
  exits_->note_success(*charge.exit, ExitHealth::Evidence::reached);
  charge.due = due_while_up(*charge.exit, now);
}

void ExitProbes::look_at_parent_alone(Charge& charge) {
  const MonotonicTime now = context_.dial.clock.now();
  if (charge.exit->health().is_up()) {
    charge.due = due_while_up(*charge.exit, now);
  } else {
    charge.aim = Aim::parent;
    charge.due = now;
  }
}

void ExitProbes::put_off(Charge& charge) {
  const MonotonicTime now = context_.dial.clock.now();
  exits_->put_off(*charge.exit, now);
  const ExitHealth& health = charge.exit->health();
  if (health.is_up()) {
    charge.due = due_while_up(*charge.exit, now);
  } else {
    charge.due = charge.retry_heard = health.retry_at();
  }
}

}  // namespace payg::proxy
