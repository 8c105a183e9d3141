#include "plugin/base/event.h"

#include <sys/eventfd.h>

#include <cstdint>
#include <stdexcept>

namespace payg {
namespace {

event_base* make_base() {
  // Each base belongs to one thread and is woken through its own eventfd, so libevent's locks are switched
  // off.
  std::unique_ptr<event_config, decltype(&event_config_free)> config(event_config_new(), event_config_free);
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_NOLOCK);
  // After this many callbacks the kernel is asked again, so that sockets which activate themselves once more
  // (see Socket::ready_again) take turns with the others instead of starving them.
  constexpr int callbacks_per_round = 128;
  event_config_set_max_dispatch_interval(config.get(), nullptr, callbacks_per_round, 0);
  event_config_require_features(config.get(), EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE);
  return event_base_new_with_config(config.get());
}

}  // namespace

EventLoop::EventLoop() : base_(make_base()), wakeup_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (base_ == nullptr || !wakeup_)
    throw std::runtime_error("cannot make an event loop: out of file descriptors or memory");
  event_assign(&wakeup_event_, base_, wakeup_.get(), EV_READ | EV_PERSIST, on_wakeup, this);
  event_add(&wakeup_event_, nullptr);
}

EventLoop::~EventLoop() {
  event_del_noblock(&wakeup_event_);
  event_base_free(base_);
}

void EventLoop::run() {
  event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY);
}

void EventLoop::stop() noexcept {
  post([this] { event_base_loopbreak(base_); });
}

void EventLoop::post(std::function<void()> task) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    wake = tasks_.empty();
    tasks_.push_back(std::move(task));
  }
  if (wake) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(wakeup_.get(), &one, sizeof one);
  }
}

void EventLoop::drain() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (auto& task : tasks) task();
}

void EventLoop::on_wakeup(evutil_socket_t fd, short, void* self) noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = read(fd, &count, sizeof count);
  static_cast<EventLoop*>(self)->drain();
}

}  // namespace payg
