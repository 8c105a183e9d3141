#include "billing/billing_thread.h"

#include <pthread.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace payg::billing {
namespace {

// The biller has one batch of charges and one of ends under way at a time.
constexpr std::size_t max_batches_waiting = 2;
// Cutting as many takes about a millisecond.
constexpr std::size_t users_at_a_time = 256;

LedgerError stopped() {
  return {LedgerError::Code::unavailable, "the ledger thread has stopped"};
}

}  // namespace

BillingThread::BillingThread(Biller& biller, const Clock& clock, LedgerHealth& health, LedgerFactory factory,
                             std::string node, CutHandler on_cut)
    : biller_(biller),
      clock_(clock),
      health_(health),
      node_(std::move(node)),
      on_cut_(std::move(on_cut)),
      ledger_("payg-charges", std::move(factory), max_batches_waiting),
      thread_([this] { run(); }) {}

BillingThread::~BillingThread() {
  stop();
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
    const auto end = users.begin() + static_cast<std::ptrdiff_t>(std::min(users.size(), users_at_a_time));
    for (auto user = users.begin(); user != end; ++user) biller.end_user(*user, why, now);
    users.erase(users.begin(), end);
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
    deadline = biller_.next_deadline();
    lock.lock();
    counters_ = biller_.counters();
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
  for (const Task& task : tasks) task(biller_, now);
  biller_.advance(now);
  for (const Cut& cut : biller_.take_cuts()) on_cut_(cut);
  if (auto charges = biller_.take_charges(now); !charges.empty()) send(std::move(charges));
  if (auto ends = biller_.take_ends(now); !ends.empty()) send(std::move(ends));
}

void BillingThread::send(std::vector<ChargeRequest> charges) {
  const auto shared = std::make_shared<const std::vector<ChargeRequest>>(std::move(charges));
  const bool sent = ledger_.post([this, shared](Ledger& ledger) {
    const auto answer = std::make_shared<const LedgerResult<std::vector<ChargeResult>>>(
        health_.charge("charging", [&] { return ledger.charge(node_, *shared); }));
    post([answer](Biller& biller, const Moment& now) { biller.on_charges(*answer, now); });
  });
  if (!sent) biller_.on_charges(stopped(), moment());
}

void BillingThread::send(std::vector<EndRequest> ends) {
  const auto shared = std::make_shared<const std::vector<EndRequest>>(std::move(ends));
  const bool sent = ledger_.post([this, shared](Ledger& ledger) {
    const auto answer = std::make_shared<const LedgerResult<std::vector<EndOutcome>>>(
        health_.charge("ending sessions", [&] { return ledger.end_sessions(*shared); }));
    post([answer](Biller& biller, const Moment& now) { biller.on_ends(*answer, now); });
  });
  if (!sent) biller_.on_ends(stopped(), moment());
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
}

MeteringCounters BillingThread::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace payg::billing
