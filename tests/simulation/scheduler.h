#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "plugin/base/clock.h"

namespace payg::simulation {

/// Time, and what is to happen in it: one thing after the other, those of one moment in the order in which
/// they were planned. Nothing here waits. Single-threaded.
class Scheduler {
 public:
  using Task = std::function<void()>;
  using Duration = std::chrono::nanoseconds;

  /// A moment like any other: neither clock begins at zero.
  static constexpr MonotonicTime start = MonotonicTime(std::chrono::hours(1'000));
  static constexpr WallTime wall_start = WallTime(std::chrono::days(20'000));

  MonotonicTime now() const noexcept { return now_; }
  /// What a wall clock that is right shows.
  static WallTime wall_at(MonotonicTime moment) noexcept {
    return wall_start + std::chrono::floor<std::chrono::milliseconds>(moment - start);
  }
  static MonotonicTime moment_of(WallTime wall) noexcept { return start + (wall - wall_start); }

  void at(MonotonicTime moment, Task task) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(tasks_.size()));
      tasks_.emplace_back();
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    tasks_[place] = std::move(task);
    queue_.push_back({std::max(moment, now_), planned_++, place});
    std::push_heap(queue_.begin(), queue_.end(), Later());
  }
  void in(Duration time, Task task) { at(now_ + time, std::move(task)); }

  /// Does what comes next; false: nothing comes until `end`, and it is `end` now.
  bool step(MonotonicTime end) {
    if (queue_.empty() || queue_.front().at > end) {
      now_ = std::max(now_, end);
      return false;
    }
    std::pop_heap(queue_.begin(), queue_.end(), Later());
    const Entry next = queue_.back();
    queue_.pop_back();
    now_ = next.at;
    const Task task = std::exchange(tasks_[next.place], nullptr);
    free_.push_back(next.place);
    task();
    ++done_;
    return true;
  }

  std::uint64_t done() const noexcept { return done_; }

 private:
  struct Entry {
    MonotonicTime at;
    std::uint64_t planned;
    std::uint32_t place;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const noexcept {
      return a.at != b.at ? a.at > b.at : a.planned > b.planned;
    }
  };

  MonotonicTime now_ = start;
  std::uint64_t planned_ = 0;
  std::uint64_t done_ = 0;
  std::vector<Entry> queue_;  // a heap
  std::vector<Task> tasks_;
  std::vector<std::uint32_t> free_;
};

}  // namespace payg::simulation
