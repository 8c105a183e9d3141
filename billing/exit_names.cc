#include "billing/exit_names.h"

#include <algorithm>
#include <limits>
#include <mutex>

namespace payg::billing {
namespace {

ExitNames::Index position(const std::vector<std::string>& names, std::string_view name) {
  return static_cast<ExitNames::Index>(std::find(names.begin(), names.end(), name) - names.begin());
}

}  // namespace

ExitNames::Index ExitNames::index_of(std::string_view name) {
  {
    const std::shared_lock lock(mutex_);
    const Index known = position(names_, name);
    if (known < names_.size()) return known;
  }
  const std::unique_lock lock(mutex_);
  const Index known = position(names_, name);
  if (known < names_.size()) return known;
  if (names_.size() == std::numeric_limits<Index>::max()) return static_cast<Index>(names_.size() - 1);
  names_.emplace_back(name);
  return known;
}

std::string ExitNames::name_of(Index index) const {
  const std::shared_lock lock(mutex_);
  return index < names_.size() ? names_[index] : std::string();
}

}  // namespace payg::billing
