#include "billing/node_keeper.h"

#include <pthread.h>

#include <algorithm>
#include <span>
#include <utility>

#include "billing/payments/secrets.h"

namespace payg::billing {
namespace {

using namespace std::chrono_literals;

// Asking is one round trip, and what was changed is known well within a second. LISTEN/NOTIFY would be no
// better: it needs a database session of its own, which a pooler in transaction mode does not give, it says
// nothing of what happened while the connection was lost, and so it needs the asking as well.
constexpr std::chrono::milliseconds look_interval = 250ms;
// While the ledger is away, from look_interval on twice as long each time.
constexpr std::chrono::milliseconds longest_pause = 2s;
constexpr auto renewal_interval = 1s;
static_assert(renewal_interval + look_interval < usual_lease_slack - Ledger::longest_silence - longest_pause,
              "as node_lease.h says");
// A transaction each.
constexpr std::size_t most_to_confirm = 1000;
// Longer than a read of standings takes.
constexpr auto confirmed_for = 60s;
constexpr auto confirmation_interval = 1s;
static_assert(confirmed_for > 2 * Ledger::longest_silence);
// Together under the hour within which usage must be posted.
constexpr auto usage_post_interval = 5min;
constexpr auto usage_post_age = 50min;

template <class T>
bool says_life_is_over(const LedgerResult<T>& answer) {
  return !answer && answer.error().code == LedgerError::Code::life_is_over;
}

std::string superseded(const std::string& node) {
  return "another process has started by the name of this node, " + node;
}

}  // namespace

NodeKeeper::NodeKeeper(LedgerFactory factory, Settings settings, LedgerHealth& health, plugin::Host& host,
                       Listener listener)
    : factory_(std::move(factory)),
      settings_(std::move(settings)),
      health_(health),
      host_(host),
      listener_(std::move(listener)),
      self_{.name = settings_.node},
      earlier_life_(host, std::move(settings_.spooled)),
      watch_(settings_.node),
      known_lease_(settings_.lease),
      pause_(look_interval),
      usage_posted_at_(host.clock().now()),
      lease_(settings_.lease) {}

NodeKeeper::~NodeKeeper() {
  stop();
}

void NodeKeeper::start() {
  thread_ = std::thread([this] { run(); });
}

void NodeKeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

NodeKeeper::Progress NodeKeeper::wait(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [this] { return attempts_ > 0; });
  return progress_;
}

std::string NodeKeeper::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void NodeKeeper::set_progress(Progress progress, std::string failure) {
  {
    const std::lock_guard lock(mutex_);
    progress_ = progress;
    failure_ = std::move(failure);
    ++attempts_;
  }
  changed_.notify_all();
}

NodeKeeper::Tick NodeKeeper::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return stopping_; }) ? Tick::stop : Tick::go_on;
}

bool NodeKeeper::is_stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void NodeKeeper::run() {
  pthread_setname_np(pthread_self(), "payg-keeper");
  const std::unique_ptr<Ledger> ledger = factory_();
  for (Prepared prepared = prepare(*ledger); prepared != Prepared::ready; prepared = prepare(*ledger)) {
    if (prepared == Prepared::life_is_over) return step_down();
    if (pause(pause_) == Tick::stop) return;
    pause_ = std::min(2 * pause_, longest_pause);
  }
  pause_ = look_interval;
  while (pause(pause_) == Tick::go_on) {
    if (keep(*ledger) == Life::is_over) return step_down();
  }
}

std::chrono::milliseconds NodeKeeper::set_lease(std::chrono::milliseconds lease) noexcept {
  if (lease > lease_.load()) lease_ = lease;
  return lease_;
}

// ---- getting ready

NodeKeeper::Prepared NodeKeeper::prepare(Ledger& ledger) {
  const auto prepared = prepare_step_by_step(ledger);
  health_.note_read("getting the ledger ready", prepared);
  if (prepared && *prepared == Life::is_over) {
    set_progress(Progress::failed, superseded(settings_.node));
    return Prepared::life_is_over;
  }
  if (prepared.ok()) {
    listener_.on_ready(self_);
    set_progress(Progress::ready, {});
    return Prepared::ready;
  }
  const bool may_mend_itself = prepared.error().code == LedgerError::Code::unavailable;
  set_progress(may_mend_itself ? Progress::trying : Progress::failed, prepared.error().message);
  return Prepared::not_yet;
}

LedgerResult<NodeKeeper::Life> NodeKeeper::prepare_step_by_step(Ledger& ledger) {
  const auto migrated = ledger.migrate();
  if (!migrated) return migrated.error();
  const auto begun = begin_life(ledger);
  if (!begun || *begun == Life::is_over) return begun;
  const auto settled = settle_earlier_life(ledger);
  if (!settled || *settled == Life::is_over) return settled;
  const auto provided = provide_demo_user(ledger);
  if (!provided) return provided.error();
  const auto changes = ledger.changes_since(settings_.node, std::nullopt);
  if (!changes) return changes.error();
  // Behind the mark, so that what is changed in between is told again.
  const auto networks = ledger.networks(std::nullopt);
  if (!networks) return networks.error();
  mark_ = changes->upto;
  listener_.on_networks_read(*networks, mark_.users);
  return Life::goes_on;
}

/// An attempt that got further before the ledger went away has a life already; nobody's name is taken twice.
LedgerResult<NodeKeeper::Life> NodeKeeper::begin_life(Ledger& ledger) {
  const MonotonicTime now = host_.clock().now();
  const std::chrono::milliseconds lease = lease_;
  if (self_.life != NodeLife{}) {
    const auto renewed = ledger.renew_lease(self_, lease);
    if (says_life_is_over(renewed)) return Life::is_over;
    if (!renewed) return renewed.error();
  } else {
    const auto started = ledger.start_node(settings_.node, lease, host_.clock().wall_now());
    if (!started) return started.error();
    self_.life = started->life;
    earlier_life_.begin(self_, started->left_open);
  }
  lease_is_known(lease, now);
  return Life::goes_on;
}

void NodeKeeper::lease_is_known(std::chrono::milliseconds lease, MonotonicTime now) {
  renewed_at_ = now;
  if (std::exchange(known_lease_, lease) != lease) listener_.on_lease_extended(lease);
}

/// All that is free: whose user is locked is tried again at the next look, and holds up nobody who wants to
/// start. A spool may take longer than the lease, and when that runs out the others end what is left in it.
LedgerResult<NodeKeeper::Life> NodeKeeper::settle_earlier_life(Ledger& ledger) {
  for (;;) {
    const auto left = settle_portion(ledger);
    if (says_life_is_over(left)) return Life::is_over;
    if (!left) return left.error();
    // Who has to stop leaves the rest to the next start.
    if (*left != EarlierLife::Left::more || is_stopping()) return Life::goes_on;
    if (renew_lease(ledger) == Life::is_over) return Life::is_over;
  }
}

LedgerResult<EarlierLife::Left> NodeKeeper::settle_portion(Ledger& ledger) {
  const auto left = earlier_life_.settle(ledger);
  if (auto charges = earlier_life_.take_settled_charges(); !charges.empty())
    listener_.on_spool_settled(std::move(charges));
  return left;
}

LedgerResult<Done> NodeKeeper::provide_demo_user(Ledger& ledger) {
  if (!settings_.demo) return Done{};
  const TokenHash token = hash_token(settings_.demo->token);
  const WallTime now = host_.clock().wall_now();
  const auto created = ledger.create_user(settings_.demo->user, "", token, now);
  if (created.ok()) return Done{};
  if (created.error().code != LedgerError::Code::already_exists) return created.error();
  // He was there with another token or e-mail; the configuration says what his token is.
  const auto user = ledger.find_user(settings_.demo->user);
  if (!user) return user.error();
  return user->token == token ? LedgerResult<Done>(Done{}) : ledger.set_token(user->id, token, now);
}

// ---- several times a second

NodeKeeper::Life NodeKeeper::keep(Ledger& ledger) {
  const auto changes = look(ledger);
  // Spares more waits for the same silence.
  if (!changes) return Life::goes_on;
  if (has_new_life(*changes)) return Life::is_over;
  tell_changes(*changes);
  if (renew_lease(ledger) == Life::is_over) return Life::is_over;
  confirm_networks(ledger);
  end_sessions_of_a_lost_node(ledger);
  if (settle_what_is_left(ledger) == Life::is_over) return Life::is_over;
  if (host_.clock().now() - usage_posted_at_ >= usage_post_interval) post_usage(ledger);
  return Life::goes_on;
}

std::optional<Changes> NodeKeeper::look(Ledger& ledger) {
  const MonotonicTime asked_at = host_.clock().now();
  auto changes = ledger.changes_since(settings_.node, mark_);
  health_.note_read("looking for changes", changes);
  if (!changes) {
    watch_.missed();
    pause_ = std::min(2 * pause_, longest_pause);
    return std::nullopt;
  }
  watch_.look(asked_at, host_.clock().now(), changes->nodes);
  pause_ = look_interval;
  return std::move(*changes);
}

bool NodeKeeper::has_new_life(const Changes& changes) const {
  return std::any_of(changes.nodes.begin(), changes.nodes.end(), [this](const NodeSign& sign) {
    return sign.node == settings_.node && sign.life != self_.life;
  });
}

void NodeKeeper::tell_changes(const Changes& changes) {
  mark_ = changes.upto;
  const MonotonicTime until = host_.clock().now() + confirmed_for;
  for (const User& user : changes.users)
    recently_changed_.insert_or_assign(user.id, Recent{.user = user, .until = until});
  if (!changes.users.empty()) {
    listener_.on_users_changed(changes.users);
    listener_.on_networks_read(changes.networks, mark_.users);
  }
  confirm_recent_changes();
  for (const SessionId session : changes.ended) listener_.on_session_ended(session);
}

void NodeKeeper::confirm_recent_changes() {
  const MonotonicTime now = host_.clock().now();
  if (now - confirmed_at_ < confirmation_interval) return;
  confirmed_at_ = now;
  for (const auto& [id, recent] : recently_changed_) listener_.on_user_confirmed(recent.user);
  // Only now, lest there be none at the end of the time when a look at the ledger takes long.
  std::erase_if(recently_changed_, [now](const auto& entry) { return entry.second.until <= now; });
}

void NodeKeeper::confirm_network(UserId user, const Cidr& network) {
  const std::lock_guard lock(mutex_);
  const std::pair asked(user, network);
  const bool is_asked_already = std::ranges::find(to_confirm_, asked) != to_confirm_.end();
  if (!is_asked_already && to_confirm_.size() < most_to_confirm) to_confirm_.push_back(asked);
}

/// For no longer than one look may be late. A ledger that is away is asked again at the next one.
void NodeKeeper::confirm_networks(Ledger& ledger) {
  const MonotonicTime begun = host_.clock().now();
  do {
    std::unique_lock lock(mutex_);
    if (to_confirm_.empty() || stopping_) return;
    const auto asked = to_confirm_.front();
    lock.unlock();
    const auto confirmed = ledger.confirm_network(asked.first, asked.second, host_.clock().wall_now());
    const bool is_away = !confirmed && confirmed.error().code == LedgerError::Code::unavailable;
    if (is_away) return report("confirming a client network", confirmed);
    lock.lock();
    to_confirm_.pop_front();
    lock.unlock();
    confirmed.ok() ? listener_.on_network_confirmed(confirmed->list)
                   : note_not_confirmed(asked, confirmed.error());
  } while (host_.clock().now() - begun < look_interval);
}

/// Once of each: it is asked for again as long as its user comes from there.
void NodeKeeper::note_not_confirmed(const std::pair<UserId, Cidr>& asked, const LedgerError& why) {
  if (why.code == LedgerError::Code::not_found) return;
  if (not_confirmed_.size() >= most_to_confirm) not_confirmed_.clear();
  if (!not_confirmed_.insert(asked).second) return;
  host_.log(plugin::LogLevel::info, "billing",
            "client network " + asked.second.to_string() + " is not confirmed: " + why.message);
}

NodeKeeper::Life NodeKeeper::renew_lease(Ledger& ledger) {
  const MonotonicTime now = host_.clock().now();
  if (now - renewed_at_ < renewal_interval) return Life::goes_on;
  const std::chrono::milliseconds lease = lease_;
  const auto renewed = ledger.renew_lease(self_, lease);
  if (says_life_is_over(renewed)) return Life::is_over;
  report("renewing the lease", renewed);
  if (renewed.ok()) {
    lease_is_known(lease, now);
  } else {
    // Nor could anybody else, perhaps: a ledger may be read and not written.
    watch_.missed();
  }
  return Life::goes_on;
}

/// One portion of one of them at each look, by turns: the node's own lease is renewed in between, and what
/// others have changed is heard of in time.
void NodeKeeper::end_sessions_of_a_lost_node(Ledger& ledger) {
  const std::vector<NodeSign> lost = watch_.lost();
  if (lost.empty()) return;
  const auto next =
      std::find_if(lost.begin(), lost.end(), [this](const NodeSign& sign) { return sign.node > last_lost_; });
  const NodeSign& sign = next != lost.end() ? *next : lost.front();
  last_lost_ = sign.node;
  const auto portion = ledger.end_lost_sessions(sign, host_.clock().wall_now());
  report("ending the sessions of lost node " + sign.node, portion);
  if (!portion) return;
  if (portion->sessions > 0) log_ended(host_, portion->sessions, sign.node, portion->posted);
  if (portion->next == LostPortion::Next::done) watch_.settled(sign.node);
}

/// One portion at each look, as above.
NodeKeeper::Life NodeKeeper::settle_what_is_left(Ledger& ledger) {
  const auto left = settle_portion(ledger);
  if (says_life_is_over(left)) return Life::is_over;
  report("settling what an earlier life left", left);
  if (!left || *left != EarlierLife::Left::locked) return Life::goes_on;
  const auto settled = earlier_life_.settle_one_in_line(ledger);
  if (says_life_is_over(settled)) return Life::is_over;
  report("settling what an earlier life left, in line", settled);
  return Life::goes_on;
}

void NodeKeeper::step_down() {
  host_.log(plugin::LogLevel::error, "billing",
            superseded(settings_.node) +
                ": nothing is sold here any more. Give each node a name of its own and start this one again");
  listener_.on_superseded();
}

template <class T>
void NodeKeeper::report(const std::string& what, const LedgerResult<T>& result) {
  if (result.ok()) return void(failing_.erase(what));
  std::string& said = failing_[what];
  if (std::exchange(said, result.error().message) != result.error().message) health_.note_write(what, result);
}

/// One portion at each look, until all is posted.
void NodeKeeper::post_usage(Ledger& ledger) {
  const WallTime now = host_.clock().wall_now();
  const auto posted = ledger.post_usage(settings_.node, now - usage_post_age, now);
  report("posting usage", posted);
  if (posted && *posted == Posting::done) usage_posted_at_ = host_.clock().now();
}

}  // namespace payg::billing
