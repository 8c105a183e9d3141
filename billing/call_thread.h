#pragma once

#include <pthread.h>

#include <chrono>
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

  /// What the thread does by itself: when nothing else has come for so long, or among much else.
  struct Chore {
    std::chrono::milliseconds every{0};
    Task task;
  };

  /// `name` is shown by ps and debuggers, at most 15 characters. At most `limit` tasks wait at a time.
  CallThread(std::string name, Factory factory, std::size_t limit)
      : CallThread(std::move(name), std::move(factory), limit, Chore{std::chrono::hours(1), {}}) {}
  CallThread(std::string name, Factory factory, std::size_t limit, Chore chore)
      : name_(std::move(name)),
        factory_(std::move(factory)),
        limit_(limit),
        chore_(std::move(chore)),
        thread_([this] { run(); }) {}
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

  /// The same for what follows from a task that was taken, of which there are no more than what has begun:
  /// never refused for want of room. When the thread has ended it is dropped.
  void post_at_any_length(Task task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
  }

  /// Runs what waits, then ends the thread. Blocks until then. Calling it again does nothing. Not to be
  /// called on the thread itself.
  void stop() { end(Waiting::run); }

  /// Drops what waits, and ends the thread behind what it is at. The same otherwise.
  void stop_now() { end(Waiting::drop); }

 private:
  static constexpr std::size_t tasks_between_chores = 100;

  enum class Waiting { run, drop };
  void end(Waiting waiting) {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (waiting == Waiting::drop) tasks_.clear();
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  void run() {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    const std::unique_ptr<Callee> callee = factory_();
    std::unique_lock lock(mutex_);
    for (std::size_t since_chore = 0;;) {
      const bool came =
          changed_.wait_for(lock, chore_.every, [this] { return stopping_ || !tasks_.empty(); });
      if (came && tasks_.empty()) return;
      const bool has_chore = chore_.task && !stopping_ && (!came || ++since_chore > tasks_between_chores);
      Task task = has_chore ? chore_.task : Task();
      if (has_chore) {
        since_chore = 0;
      } else if (came) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      lock.unlock();
      if (task) task(*callee);
      lock.lock();
    }
  }

  const std::string name_;
  const Factory factory_;
  const std::size_t limit_;
  const Chore chore_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;  // guarded by mutex_
  bool stopping_ = false;   // guarded by mutex_

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace payg::billing
