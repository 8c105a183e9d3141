#include "billing/exit_names.h"

#include <mutex>

namespace payg::billing {

ExitNames::Index ExitNames::index_of(std::string_view name) {
  {
    const std::shared_lock lock(mutex_);
    if (const auto known = indices_.find(name); known != indices_.end()) return known->second;
  }
  const std::unique_lock lock(mutex_);
  if (const auto known = indices_.find(name); known != indices_.end()) return known->second;
  const auto index = static_cast<Index>(names_.size());
  indices_.emplace(names_.emplace_back(name), index);
  return index;
}

std::string ExitNames::name_of(Index index) const {
  const std::shared_lock lock(mutex_);
  return index < names_.size() ? names_[index] : std::string();
}

}  // namespace payg::billing
