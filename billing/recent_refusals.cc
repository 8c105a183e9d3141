#include "billing/recent_refusals.h"

namespace payg::billing {
namespace {

bool may_be_mended_by_an_end(Refusal why) {
  return why == Refusal::too_little_to_start || why == Refusal::too_many_sessions;
}

}  // namespace

std::optional<Refusal> RecentRefusals::find(std::string_view name, MonotonicTime now,
                                            std::uint64_t ends) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(name);
  if (found == known_.end() || now >= found->second.until) return std::nullopt;
  if (may_be_mended_by_an_end(found->second.why) && ends != found->second.ends) return std::nullopt;
  return found->second.why;
}

RecentRefusals::Question RecentRefusals::ask(MonotonicTime now, std::uint64_t ends) const {
  const std::lock_guard lock(mutex_);
  Question question;
  question.asked_at = now;
  question.forgotten = forgotten_;
  question.ends = ends;
  return question;
}

void RecentRefusals::remember(const std::string& name, const Question& question, Refusal why) {
  const std::lock_guard lock(mutex_);
  if (question.forgotten != forgotten_) return;
  const MonotonicTime until = question.asked_at + max_age;
  while (!in_order_.empty() && in_order_.front().until <= question.asked_at) drop_oldest();
  Known& known = known_[name];
  if (until < known.until) return;  // others have asked later
  const bool is_listed = until == known.until;
  known = {.until = until, .ends = question.ends, .why = why};
  if (is_listed) return;
  in_order_.push_back({name, until});
  if (in_order_.size() > max_names) drop_oldest();
}

void RecentRefusals::drop_oldest() {
  const Entry& oldest = in_order_.front();
  const auto found = known_.find(oldest.name);
  if (found != known_.end() && found->second.until == oldest.until) known_.erase(found);
  in_order_.pop_front();
}

void RecentRefusals::forget(std::string_view name) {
  const std::lock_guard lock(mutex_);
  ++forgotten_;
  if (const auto found = known_.find(name); found != known_.end()) known_.erase(found);
}

void RecentRefusals::forget_all() {
  const std::lock_guard lock(mutex_);
  ++forgotten_;
  known_.clear();
  in_order_.clear();
}

std::size_t RecentRefusals::size() const {
  const std::lock_guard lock(mutex_);
  return known_.size();
}

}  // namespace payg::billing
