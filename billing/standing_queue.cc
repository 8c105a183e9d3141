#include "billing/standing_queue.h"

#include <utility>

namespace payg::billing {

StandingQueue::Outcome StandingQueue::ask(const std::string& name, Asker asker) {
  if (waiting_count_ >= max_waiting_) return Outcome::full;
  ++waiting_count_;
  const auto [place, is_new] = places_.try_emplace(name, taken_ + gathering_.size());
  if (is_new) gathering_.push_back({.name = name, .askers = {}});
  gathering_[place->second - taken_].askers.push_back(std::move(asker));
  return Outcome::queued;
}

std::vector<std::string> StandingQueue::take_batch() {
  std::vector<std::string> names;
  if (!under_way_.empty()) return names;
  while (!gathering_.empty() && names.size() < max_batch_) {
    places_.erase(gathering_.front().name);
    names.push_back(std::move(gathering_.front().name));
    under_way_.push_back(std::move(gathering_.front().askers));
    gathering_.pop_front();
    ++taken_;
  }
  return names;
}

std::vector<StandingQueue::Delivery> StandingQueue::on_answer(
    const LedgerResult<std::vector<std::optional<Standing>>>& answer) {
  std::vector<Delivery> deliveries;
  auto askers = std::exchange(under_way_, {});
  for (std::size_t i = 0; i < askers.size(); ++i) {
    waiting_count_ -= askers[i].size();
    if (!answer.ok()) {
      deliveries.push_back({std::move(askers[i]), answer.error()});
    } else if (i < answer->size()) {
      deliveries.push_back({std::move(askers[i]), (*answer)[i]});
    } else {
      deliveries.push_back({std::move(askers[i]),
                            LedgerError{LedgerError::Code::broken, "fewer standings than names were read"}});
    }
  }
  return deliveries;
}

}  // namespace payg::billing
