#include "billing/node_keeper.h"

#include <pthread.h>

#include <algorithm>
#include <span>
#include <utility>

#include "billing/payments/secrets.h"

namespace payg::billing {
namespace {

using namespace std::chrono_literals;

constexpr auto poll_interval = 1s;
// Covers clocks of other nodes that are behind ours, and transactions that were stamped before they
// committed. What is read twice is harmless.
constexpr auto overlap = 10s;
// Longer than a read of standings takes.
constexpr auto confirmed_for = 60s;
static_assert(confirmed_for > 2 * Ledger::longest_silence);
// Together under the hour within which usage must be posted.
constexpr auto usage_post_interval = 5min;
constexpr auto usage_post_age = 50min;
// Sessions that are ended in one transaction.
constexpr std::size_t end_portion = 1000;

}  // namespace

NodeKeeper::NodeKeeper(LedgerFactory factory, Settings settings, LedgerHealth& health, plugin::Host& host,
                       Listener listener)
    : factory_(std::move(factory)),
      settings_(std::move(settings)),
      health_(health),
      host_(host),
      listener_(std::move(listener)),
      sessions_read_at_(host.clock().wall_now()),
      usage_posted_at_(host.clock().now()) {}

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

void NodeKeeper::run() {
  pthread_setname_np(pthread_self(), "payg-keeper");
  const std::unique_ptr<Ledger> ledger = factory_();
  while (!prepare(*ledger)) {
    if (pause(poll_interval) == Tick::stop) return;
  }
  while (pause(poll_interval) == Tick::go_on) keep(*ledger);
}

// ---- getting ready

bool NodeKeeper::prepare(Ledger& ledger) {
  const auto prepared = prepare_step_by_step(ledger);
  health_.note_read("getting the ledger ready", prepared);
  if (prepared.ok()) {
    listener_.on_ready();
    set_progress(Progress::ready, {});
    return true;
  }
  const bool may_mend_itself = prepared.error().code == LedgerError::Code::unavailable;
  set_progress(may_mend_itself ? Progress::trying : Progress::failed, prepared.error().message);
  return false;
}

LedgerResult<Done> NodeKeeper::prepare_step_by_step(Ledger& ledger) {
  const auto migrated = ledger.migrate();
  if (!migrated) return migrated.error();
  auto left_open = ledger.start_node(settings_.node, host_.clock().wall_now());
  if (!left_open) return left_open.error();
  left_open_ = std::move(*left_open);
  const auto ended = end_left_open(ledger);
  if (!ended) return ended;
  const auto provided = provide_demo_user(ledger);
  if (!provided) return provided;
  const auto changes = ledger.users_changed_since(std::nullopt);
  if (!changes) return changes.error();
  mark_ = changes->upto;
  return Done{};
}

/// In portions, so that nobody's charges wait for long. Whose user is locked is tried again a second later,
/// and holds up nobody who wants to start.
LedgerResult<Done> NodeKeeper::end_left_open(Ledger& ledger) {
  const std::vector<LeftOpen> all = std::exchange(left_open_, {});
  for (std::size_t begin = 0; begin < all.size(); begin += end_portion) {
    const auto portion = std::span(all).subspan(begin, std::min(end_portion, all.size() - begin));
    if (const auto ended = end_portion_of(portion, Turn::if_free, ledger); !ended) {
      left_open_.insert(left_open_.end(), all.begin() + static_cast<std::ptrdiff_t>(begin), all.end());
      return ended;
    }
  }
  return Done{};
}

/// One at each look, each in turn: a user may be locked whenever he is looked at.
LedgerResult<Done> NodeKeeper::stand_in_line(Ledger& ledger) {
  if (left_open_.empty()) return Done{};
  const LeftOpen one = left_open_.front();
  left_open_.erase(left_open_.begin());
  const auto ended = end_portion_of({&one, 1}, Turn::in_line, ledger);
  if (!ended) left_open_.push_back(one);
  return ended;
}

/// Those who are locked are left open.
LedgerResult<Done> NodeKeeper::end_portion_of(std::span<const LeftOpen> portion, Turn turn, Ledger& ledger) {
  const WallTime now = host_.clock().wall_now();
  std::vector<EndRequest> ends;
  for (const LeftOpen& one : portion)
    ends.push_back({one.user, one.session, EndReason::node_lost, now, turn});
  const auto outcomes = ledger.end_sessions(ends);
  if (!outcomes) return outcomes.error();
  std::size_t ended = 0;
  std::int64_t posted = 0;
  for (std::size_t i = 0; i < portion.size(); ++i) {
    if ((*outcomes)[i] == EndOutcome::later) {
      left_open_.push_back(portion[i]);
      continue;
    }
    ++ended;
    posted += portion[i].unposted.units();
  }
  if (ended > 0) {
    host_.log(plugin::LogLevel::warning, "billing",
              "ended " + std::to_string(ended) + " sessions that node " + settings_.node +
                  " had left open: " + Credits::from_units(posted).to_exact_string() + " credits");
  }
  return Done{};
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

// ---- once a second

void NodeKeeper::keep(Ledger& ledger) {
  if (!look_for_changed_users(ledger)) return;  // spares two more waits for the same silence
  look_for_ended_sessions(ledger);
  if (end_left_open(ledger)) (void)stand_in_line(ledger);
  if (host_.clock().now() - usage_posted_at_ >= usage_post_interval) post_usage(ledger);
}

bool NodeKeeper::look_for_changed_users(Ledger& ledger) {
  const auto changed = ledger.users_changed_since(mark_);
  health_.note_read("looking for changed users", changed);
  if (!changed) return false;
  mark_ = changed->upto;
  const MonotonicTime until = host_.clock().now() + confirmed_for;
  for (const User& user : changed->users)
    recently_changed_.insert_or_assign(user.id, Recent{.user = user, .until = until});
  if (!changed->users.empty()) listener_.on_users_changed(changed->users);
  confirm_recent_changes();
  return true;
}

void NodeKeeper::confirm_recent_changes() {
  const MonotonicTime now = host_.clock().now();
  for (const auto& [id, recent] : recently_changed_) listener_.on_user_confirmed(recent.user);
  // Only now, lest there be none at the end of the time when a look at the ledger takes long.
  std::erase_if(recently_changed_, [now](const auto& entry) { return entry.second.until <= now; });
}

void NodeKeeper::look_for_ended_sessions(Ledger& ledger) {
  const WallTime now = host_.clock().wall_now();
  const auto ended = ledger.ended_since(settings_.node, sessions_read_at_ - overlap);
  health_.note_read("looking for ended sessions", ended);
  if (!ended) return;
  for (const SessionId session : *ended) listener_.on_session_ended(session);
  sessions_read_at_ = now;
}

void NodeKeeper::post_usage(Ledger& ledger) {
  const WallTime now = host_.clock().wall_now();
  const auto posted = ledger.post_usage(settings_.node, now - usage_post_age, now);
  health_.note_write("posting usage", posted);
  if (posted.ok()) usage_posted_at_ = host_.clock().now();
}

}  // namespace payg::billing
