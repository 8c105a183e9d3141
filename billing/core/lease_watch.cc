#include "billing/core/lease_watch.h"

namespace payg::billing {

void LeaseWatch::look(MonotonicTime asked_at, MonotonicTime answered_at, std::span<const NodeSign> nodes) {
  if (answered_at - last_answer_ > longest_gap) watched_.clear();
  last_answer_ = answered_at;
  std::map<std::string, Watched> seen;
  for (const NodeSign& sign : nodes) {
    if (sign.node == own_node_) continue;
    const auto before = watched_.find(sign.node);
    const bool is_silent = before != watched_.end() && before->second.sign == sign;
    seen.emplace(sign.node, is_silent ? Watched{sign, before->second.seen_first, asked_at}
                                      : Watched{sign, answered_at, answered_at});
  }
  watched_ = std::move(seen);
}

std::vector<NodeSign> LeaseWatch::lost() const {
  std::vector<NodeSign> lost;
  for (const auto& [name, node] : watched_) {
    const bool promised = node.sign.lease.count() > 0;
    if (promised && node.seen_last - node.seen_first >= node.sign.lease) lost.push_back(node.sign);
  }
  return lost;
}

}  // namespace payg::billing
