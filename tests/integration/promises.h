#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace payg::test {

/// What customers and the operator were told, which nothing that breaks may take back. Thread-safe.
class Promises {
 public:
  struct Kept {
    std::map<std::string, std::string> purchases;       ///< the order's reference by the Idempotency-Key
    std::map<std::string, std::int64_t> adjustments;    ///< units by the reference
    std::map<std::string, std::int64_t> session_units;  ///< the most that a session was shown to be charged
  };

  void purchase_answered(const std::string& key, const std::string& reference) {
    const std::lock_guard lock(mutex_);
    kept_.purchases[key] = reference;
  }
  void adjustment_answered(const std::string& reference, std::int64_t units) {
    const std::lock_guard lock(mutex_);
    kept_.adjustments[reference] = units;
  }
  void charge_shown(const std::string& session, std::int64_t units) {
    const std::lock_guard lock(mutex_);
    std::int64_t& most = kept_.session_units[session];
    if (units > most) most = units;
  }

  Kept so_far() const {
    const std::lock_guard lock(mutex_);
    return kept_;
  }

 private:
  mutable std::mutex mutex_;
  Kept kept_;  // guarded by mutex_
};

}  // namespace payg::test
