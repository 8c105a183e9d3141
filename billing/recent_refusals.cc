#include "billing/recent_refusals.h"

namespace payg::billing {

bool RecentRefusals::holds(std::string_view name, MonotonicTime now) const {
  const std::lock_guard lock(mutex_);
  const auto found = until_.find(name);
  return found != until_.end() && now < found->second;
}

RecentRefusals::Question RecentRefusals::ask(MonotonicTime now) const {
  const std::lock_guard lock(mutex_);
  Question question;
  question.asked_at = now;
  question.forgotten = forgotten_;
  return question;
}

void RecentRefusals::remember(const std::string& name, const Question& question) {
  const std::lock_guard lock(mutex_);
  if (question.forgotten != forgotten_) return;
  const MonotonicTime until = question.asked_at + max_age;
  while (!in_order_.empty() && in_order_.front().until <= question.asked_at) drop_oldest();
  MonotonicTime& known = until_[name];
  if (until <= known) return;  // others have asked at the same time
  known = until;
  in_order_.push_back({name, until});
  if (in_order_.size() > max_names) drop_oldest();
}

void RecentRefusals::drop_oldest() {
  const Entry& oldest = in_order_.front();
  const auto found = until_.find(oldest.name);
  if (found != until_.end() && found->second == oldest.until) until_.erase(found);
  in_order_.pop_front();
}

void RecentRefusals::forget(std::string_view name) {
  const std::lock_guard lock(mutex_);
  ++forgotten_;
  if (const auto found = until_.find(name); found != until_.end()) until_.erase(found);
}

void RecentRefusals::forget_all() {
  const std::lock_guard lock(mutex_);
  ++forgotten_;
  until_.clear();
  in_order_.clear();
}

std::size_t RecentRefusals::size() const {
  const std::lock_guard lock(mutex_);
  return until_.size();
}

}  // namespace payg::billing
