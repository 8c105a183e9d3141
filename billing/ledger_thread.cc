#include "billing/ledger_thread.h"

#include <pthread.h>

#include <utility>

namespace payg::billing {

LedgerThread::LedgerThread(std::string name, LedgerFactory factory, std::size_t limit)
    : name_(std::move(name)), factory_(std::move(factory)), limit_(limit), thread_([this] { run(); }) {}

LedgerThread::~LedgerThread() {
  stop();
}

bool LedgerThread::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || tasks_.size() >= limit_) return false;
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
  return true;
}

void LedgerThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LedgerThread::run() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  const std::unique_ptr<Ledger> ledger = factory_();
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task(*ledger);
    lock.lock();
  }
}

}  // namespace payg::billing
