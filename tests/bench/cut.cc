#include "tests/bench/cut.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>

#include "tests/bench/flow.h"

namespace payg::bench {
namespace {

using Clock = std::chrono::steady_clock;

/// One user's tunnel from CONNECT to its cut.
struct Victim {
  enum class State { greeting, relaying, over };
  Route route;
  std::vector<Step> steps;
  Flow flow;
  State state = State::greeting;
  Clock::time_point sent_at;
  Clock::time_point last_byte_at;
};

class Watch {
 public:
  Watch() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  void start(const Route& route, const ShortOfMoney& user) {
    Victim& victim = victims_.emplace_back();
    victim.route = route;
    victim.route.user = user.name;
    victim.route.password = user.token;
    victim.steps = greeting(victim.route, Handshake::connect);
    // Only the head of the drip: what comes after it is read as it comes.
    victim.steps.push_back({.send = "GET /drip HTTP/1.1\r\nHost: drip\r\n\r\n",
                            .reply = Step::Reply::bytes,
                            .prefix = "HTTP/1.1 200 OK\r\n\r\n",
                            .length = 19});
    victim.flow.begin(victim.steps);
    victim.sent_at = victim.last_byte_at = Clock::now();
    by_index_.push_back(&victim);
    if (!victim.flow.open(route.entry(), epoll_.get(), static_cast<std::uint32_t>(by_index_.size() - 1)))
      return end(victim, Outcome::error);
    ++live_;
  }

  CutResult wait(std::chrono::milliseconds paid) {
    paid_ = paid;
    const auto limit = Clock::now() + paid + std::chrono::seconds(10);
    std::array<epoll_event, 256> events;
    while (live_ > 0 && Clock::now() < limit) {
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), 100);
      for (int i = 0; i < count; ++i) go_on(*by_index_[events[static_cast<std::size_t>(i)].data.u32]);
    }
    result_.errors += live_;
    return std::move(result_);
  }

 private:
  enum class Outcome { cut, error };

  void go_on(Victim& victim) {
    if (victim.state == Victim::State::greeting) {
      const auto progress = victim.flow.advance();
      if (progress == Flow::Progress::failed) return fail(victim);
      if (progress == Flow::Progress::waiting) return;
      victim.state = Victim::State::relaying;
    }
    if (victim.state != Victim::State::relaying) return;
    const auto drained = victim.flow.drain();
    if (drained.bytes > 0) victim.last_byte_at = Clock::now();
    if (drained.peer == Flow::Drained::Peer::there) return;
    --live_;
    end(victim, Outcome::cut);
  }

  void fail(Victim& victim) {
    --live_;
    end(victim, Outcome::error);
  }

  void end(Victim& victim, Outcome outcome) {
    victim.state = Victim::State::over;
    victim.flow.close();
    if (outcome == Outcome::error) {
      ++result_.errors;
      return;
    }
    const Nanoseconds late = victim.last_byte_at - (victim.sent_at + paid_);
    result_.late_by.push_back(std::max(late, Nanoseconds::zero()));
  }

  UniqueFd epoll_;
  std::list<Victim> victims_;
  std::vector<Victim*> by_index_;
  std::size_t live_ = 0;
  std::chrono::milliseconds paid_{0};
  CutResult result_;
};

}  // namespace

CutResult measure_cuts(const Route& route, const std::vector<ShortOfMoney>& users,
                       std::chrono::milliseconds paid) {
  Watch watch;
  for (const auto& user : users) watch.start(route, user);
  return watch.wait(paid);
}

}  // namespace payg::bench
