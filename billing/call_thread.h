#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace payg::billing {

/// One thread with one `Callee` of its own, whose calls block: work runs in the order in which it was posted.
template <class Callee>
class CallThread {
 public:
  /// Runs on the thread. Must not throw.
  using Task = std::function<void(Callee&)>;
  /// Runs on the thread, before the first task.
  using Factory = std::function<std::unique_ptr<Callee>()>;

  /// `name` is shown by ps and debuggers, at most 15 characters. At most `limit` tasks wait at a time.
  CallThread(std::string name, Factory factory, std::size_t limit)
      : name_(std::move(name)), factory_(std::move(factory)), limit_(limit), thread_([this] { run(); }) {}
  /// Calls stop().
  ~CallThread() { stop(); }
  CallThread(const CallThread&) = delete;
  CallThread& operator=(const CallThread&) = delete;

  /// Any thread; never blocks. False: `limit` tasks wait already, or stop() was called; the task is not kept
  /// and will not run. The caller answers "unavailable" then.
  [[nodiscard]] bool post(Task task) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ || tasks_.size() >= limit_) return false;
      tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
    return true;
  }

  /// Runs what waits, then ends the thread. Blocks until then. Calling it again does nothing. Not to be
  /// called on the thread itself.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    const std::unique_ptr<Callee> callee = factory_();
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task(*callee);
      lock.lock();
    }
  }

  const std::string name_;
  const Factory factory_;
  const std::size_t limit_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;  // guarded by mutex_
  bool stopping_ = false;   // guarded by mutex_

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace payg::billing
