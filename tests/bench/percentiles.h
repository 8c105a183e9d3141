#pragma once

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace payg::bench {

/// Sorts the samples and reads percentiles off them.
class Percentiles {
 public:
  explicit Percentiles(std::vector<std::chrono::nanoseconds> samples) : samples_(std::move(samples)) {
    std::sort(samples_.begin(), samples_.end());
  }
  /// In microseconds; `share` 0.5 is the median, 1 the largest. 0 without any sample.
  double at_us(double share) const {
    if (samples_.empty()) return 0;
    const auto last = static_cast<double>(samples_.size() - 1);
    return static_cast<double>(samples_[static_cast<std::size_t>(share * last)].count()) / 1000;
  }

 private:
  std::vector<std::chrono::nanoseconds> samples_;
};

}  // namespace payg::bench
