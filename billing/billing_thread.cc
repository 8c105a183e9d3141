#include "billing/billing_thread.h"

#include <pthread.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

namespace payg::billing {
namespace {

// The biller has one batch of charges and one of ends under way at a time.
constexpr std::size_t max_batches_waiting = 2;
// Cutting as many takes about a millisecond.
constexpr std::size_t users_at_a_time = 256;

using Charged = LedgerResult<std::vector<ChargeResult>>;
using Ended = LedgerResult<std::vector<EndResult>>;

constexpr std::chrono::seconds spool_trial_interval{5};

// One lot of charges is written at a time; what is settled is bounded by what was written.
constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

SpoolThread::Factory hand_over(std::unique_ptr<Spool> spool) {
  auto handed = std::make_shared<std::unique_ptr<Spool>>(std::move(spool));
  return [handed] { return std::move(*handed); };
}

LedgerError stopped() {
  return {LedgerError::Code::unavailable, "the ledger thread has stopped"};
}

}  // namespace

BillingThread::BillingThread(Dependencies with)
    : biller_(with.biller),
      host_(with.host),
      health_(with.health),
      on_cut_(std::move(with.on_cut)),
      on_life_over_(std::move(with.on_life_over)),
      ledger_("payg-charges", with.factory, max_batches_waiting),
      line_("payg-line", with.factory, max_batches_waiting),
      // Its file was opened before there are threads, where what is wrong with it can be said.
      spool_("payg-spool", hand_over(std::move(with.spool)), no_limit),
      thread_([this] { run(); }) {}

BillingThread::~BillingThread() {
  stop();
}

void BillingThread::begin(NodeRef node) {
  post([this, node = std::move(node)](auto&...) { node_ = node; });
}

void BillingThread::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

void BillingThread::end_users(std::vector<UserId> users, EndReason why) {
  if (users.empty()) return;
  post([this, users = std::move(users), why](Biller& biller, const Moment& now) mutable {
    // From the back, where taking them away moves no others.
    for (std::size_t i = std::min(users.size(), users_at_a_time); i > 0; --i) {
      biller.end_user(users.back(), why, now);
      users.pop_back();
    }
    end_users(std::move(users), why);
  });
}

void BillingThread::run() {
  pthread_setname_np(pthread_self(), "payg-billing");
  std::unique_lock lock(mutex_);
  MonotonicTime deadline = MonotonicTime::max();
  for (;;) {
    wait_for_work(lock, deadline);
    if (stopping_) return;
    const std::vector<Task> tasks = std::exchange(tasks_, {});
    lock.unlock();
    work_through(tasks);
    deadline = std::min(biller_.next_deadline(), try_spool_at_);
    lock.lock();
    counters_ = biller_.counters();
    counters_.spool_is_broken = spool_is_broken_;
    if (has_cut_all_) unsettled_ = biller_.unsettled();
    changed_.notify_all();
  }
}

void BillingThread::wait_for_work(std::unique_lock<std::mutex>& lock, MonotonicTime deadline) {
  const auto has_work = [this] { return stopping_ || !tasks_.empty(); };
  // The end of time overflows inside the standard library's wait.
  if (deadline == MonotonicTime::max()) return changed_.wait(lock, has_work);
  changed_.wait_until(lock, deadline, has_work);
}

void BillingThread::work_through(const std::vector<Task>& tasks) {
  const Moment now = moment();
  biller_.wake(now);
  for (const Task& task : tasks) task(biller_, now);
  biller_.advance(now);
  for (const Cut& cut : biller_.take_cuts()) on_cut_(cut);
  if (biller_.life_is_over() && on_life_over_) std::exchange(on_life_over_, nullptr)();
  send_what_is_due(Turn::if_free, now);
  send_what_is_due(Turn::in_line, now);
  write_spool(now);
  try_spool(now);
}

void BillingThread::write_spool(const Moment& now) {
  settle_spooled(biller_.take_settled());
  if (auto charges = biller_.take_unrecorded(now); !charges.empty()) {
    const bool sent = spool_.post([this, charges = std::move(charges)](Spool& spool) {
      auto written = spool.add(charges);
      post([this, written = std::move(written)](Biller& biller, const Moment& moment) {
        biller.on_recorded(written ? Biller::Recorded::safe : Biller::Recorded::lost, moment);
        note_spool(written, moment.now);
      });
    });
    if (!sent) biller_.on_recorded(Biller::Recorded::lost, now);
  }
  if (biller_.recording_hangs()) note_spool(std::string("a write of it does not end"), now.now);
}

/// Nothing may be owed for days, in which nobody would see whether the disk has come back.
void BillingThread::try_spool(const Moment& now) {
  if (now.now < try_spool_at_) return;
  try_spool_at_ = MonotonicTime::max();
  (void)spool_.post([this](Spool& spool) {
    post([this, mended = spool.mend()](Biller& biller, const Moment& moment) {
      if (!biller.recording_hangs()) note_spool(mended, moment.now);
    });
  });
}

void BillingThread::settle_spooled(std::vector<ChargeKey> keys) {
  if (keys.empty()) return;
  // What is not taken out any more, because the thread has stopped, is sent again by the next start.
  (void)spool_.post([keys = std::move(keys)](Spool& spool) { spool.settle(keys); });
}

void BillingThread::note_spool(const Result<Done, std::string>& written, MonotonicTime now) {
  try_spool_at_ = written || biller_.recording_hangs() ? MonotonicTime::max() : now + spool_trial_interval;
  if (written.ok() != spool_is_broken_) return;
  spool_is_broken_ = !written;
  if (written) return host_.log(plugin::LogLevel::info, "billing", "the spool can be written again");
  host_.log(plugin::LogLevel::error, "billing",
            "the spool cannot be written, so that no session goes on without the ledger: " + written.error());
}

void BillingThread::send_what_is_due(Turn turn, const Moment& now) {
  if (auto charges = biller_.take_charges(now, turn); !charges.empty()) {
    send<Charged>(
        turn, "charging",
        [node = node_, charges = std::move(charges)](Ledger& ledger) { return ledger.charge(node, charges); },
        &Biller::on_charges);
  }
  if (auto ends = biller_.take_ends(now, turn); !ends.empty()) {
    send<Ended>(
        turn, "ending sessions",
        [ends = std::move(ends)](Ledger& ledger) { return ledger.end_sessions(ends); }, &Biller::on_ends);
  }
}

template <class Answer>
void BillingThread::send(Turn turn, std::string_view what, std::function<Answer(Ledger&)> ask,
                         void (Biller::*tell)(const Answer&, const Moment&, Turn)) {
  LedgerThread& thread = turn == Turn::if_free ? ledger_ : line_;
  const bool sent = thread.post([this, turn, what, ask = std::move(ask), tell](Ledger& ledger) {
    // Whether the ledger takes charges is judged by the batches, with which goes again what fails here.
    auto answer = std::make_shared<const Answer>(
        turn == Turn::if_free ? health_.charge(what, [&] { return ask(ledger); }) : ask(ledger));
    post([answer, tell, turn](Biller& biller, const Moment& now) { (biller.*tell)(*answer, now, turn); });
  });
  if (!sent) (biller_.*tell)(stopped(), moment(), turn);
}

std::optional<std::uint64_t> BillingThread::drain(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  if (stopping_) return unsettled_;
  tasks_.push_back([this](Biller& biller, const Moment& now) {
    biller.end_all(EndReason::drained, now);
    has_cut_all_ = true;
  });
  changed_.notify_all();
  changed_.wait_for(lock, limit, [this] { return unsettled_ == 0U; });
  return unsettled_;
}

void BillingThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  ledger_.stop();
  line_.stop();
  spool_.stop();
}

MeteringCounters BillingThread::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace payg::billing
