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

using Charged = LedgerResult<std::vector<ChargeResult>>;
using Ended = LedgerResult<std::vector<EndOutcome>>;

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
      ledger_("payg-charges", factory, max_batches_waiting),
      line_("payg-line", factory, max_batches_waiting),
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
  send_what_is_due(Turn::if_free, now);
  send_what_is_due(Turn::in_line, now);
}

void BillingThread::send_what_is_due(Turn turn, const Moment& now) {
  if (auto charges = biller_.take_charges(now, turn); !charges.empty()) {
    send<Charged>(
        turn, "charging",
        [this, charges = std::move(charges)](Ledger& ledger) { return ledger.charge(node_, charges); },
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
}

MeteringCounters BillingThread::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace payg::billing
