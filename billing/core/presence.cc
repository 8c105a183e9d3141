#include "billing/core/presence.h"

namespace payg::billing {

void Presence::judge(MonotonicTime at) noexcept {
  if (watch_ == Watch::waiting && at > watched_) watch_ = open_ > 0 ? Watch::was_open : Watch::was_empty;
}

void Presence::opened(MonotonicTime at) noexcept {
  judge(at);
  --pending_;
  ++open_;
  if (watch_ == Watch::was_empty) {
    watch_ = Watch::came_back;
    reopened_at_ = at;
  }
}

void Presence::closed(MonotonicTime at) noexcept {
  judge(at);
  --open_;
}

void Presence::watch(MonotonicTime moment) noexcept {
  watched_ = moment;
  watch_ = Watch::waiting;
}

bool Presence::open_at_watched() const noexcept {
  if (watch_ == Watch::waiting) return open_ > 0;
  return watch_ == Watch::was_open;
}

std::optional<MonotonicTime> Presence::opened_after_watched() const noexcept {
  if (watch_ != Watch::came_back) return std::nullopt;
  return reopened_at_;
}

}  // namespace payg::billing
