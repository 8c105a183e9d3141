#include "tests/bench/load.h"

#include <sys/epoll.h>

#include <array>
#include <utility>

#include "tests/bench/flow.h"

namespace payg::bench {
namespace {

using Time = std::chrono::steady_clock::time_point;

constexpr int patience_ms = 10'000;

class Load {
 public:
  Load(const Script& script, const LoadPlan& plan)
      : script_(script), plan_(plan), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    whole_ = script.greet;
    whole_.insert(whole_.end(), script.work.begin(), script.work.end());
  }

  LoadResult run(const std::function<void()>& on_started, const std::function<void()>& on_finished) {
    lanes_ = std::vector<Lane>(plan_.flows);
    if (script_.lifetime == Script::Lifetime::kept) {
      for (auto& lane : lanes_) greet(lane);
      wait_until_idle();
    }
    on_started();
    started_at_ = std::chrono::steady_clock::now();
    for (auto& lane : lanes_) begin_next(lane);
    wait_until_idle();
    result_.elapsed = std::chrono::steady_clock::now() - started_at_;
    on_finished();
    return std::move(result_);
  }

 private:
  enum class Doing { nothing, greeting, operation };
  struct Lane {
    Flow flow;
    Doing doing = Doing::nothing;
    Time since;
  };

  bool kept() const { return script_.lifetime == Script::Lifetime::kept; }

  void greet(Lane& lane) {
    start(lane, Doing::greeting);
    lane.flow.begin(script_.greet);
    open(lane);
  }

  /// The lane's next operations, for as long as they end on the spot.
  void begin_next(Lane& lane) {
    if (kept() && !lane.flow.is_open()) return;
    if (plan_.operations ? begun_ == *plan_.operations
                         : std::chrono::steady_clock::now() - started_at_ >= plan_.duration)
      return;
    ++begun_;
    start(lane, Doing::operation);
    lane.flow.begin(kept() ? script_.work : whole_);
    if (!kept()) return open(lane);
    advance(lane);
  }

  void start(Lane& lane, Doing doing) {
    lane.doing = doing;
    lane.since = std::chrono::steady_clock::now();
    ++busy_;
  }

  void open(Lane& lane) {
    const auto index = static_cast<std::uint32_t>(&lane - lanes_.data());
    if (!lane.flow.open(script_.entry, epoll_.get(), index)) finish(lane, Flow::Progress::failed);
  }

  void advance(Lane& lane) {
    if (lane.doing == Doing::nothing) return;
    const auto progress = lane.flow.advance();
    if (progress != Flow::Progress::waiting) finish(lane, progress);
  }

  void finish(Lane& lane, Flow::Progress progress) {
    const Doing done = std::exchange(lane.doing, Doing::nothing);
    --busy_;
    const bool failed = progress == Flow::Progress::failed;
    if (failed) ++result_.errors;
    if (!failed && done == Doing::operation)
      result_.latencies.push_back(std::chrono::steady_clock::now() - lane.since);
    if (failed || !kept()) lane.flow.close();
    if (done == Doing::operation) idle_.push_back(&lane);
  }

  void wait_until_idle() {
    std::array<epoll_event, 256> events;
    while (busy_ > 0 || !idle_.empty()) {
      while (!idle_.empty()) {
        Lane& lane = *idle_.back();
        idle_.pop_back();
        begin_next(lane);
      }
      if (busy_ == 0) return;
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), patience_ms);
      if (count == 0) return give_up();
      for (int i = 0; i < count; ++i) advance(lanes_[events[static_cast<std::size_t>(i)].data.u32]);
    }
  }

  void give_up() {
    for (auto& lane : lanes_) {
      if (lane.doing == Doing::nothing) continue;
      finish(lane, Flow::Progress::failed);
    }
    idle_.clear();
    begun_ = plan_.operations.value_or(begun_);
  }

  const Script& script_;
  const LoadPlan& plan_;
  UniqueFd epoll_;
  std::vector<Step> whole_;
  std::vector<Lane> lanes_;
  std::vector<Lane*> idle_;  // done with an operation, about to begin the next
  std::size_t busy_ = 0;
  std::size_t begun_ = 0;
  Time started_at_;
  LoadResult result_;
};

}  // namespace

LoadResult run_load(const Script& script, const LoadPlan& plan, const std::function<void()>& on_started,
                    const std::function<void()>& on_finished) {
  return Load(script, plan).run(on_started, on_finished);
}

}  // namespace payg::bench
