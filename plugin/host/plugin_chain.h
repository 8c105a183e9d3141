#pragma once

#include <array>
#include <cstddef>

#include "plugin/api/plugin.h"

namespace payg::plugin {

/// As many [[plugin]] tables as a configuration may have; config::max_plugins says the same.
inline constexpr std::size_t max_chain_length = 4;

/// The plugins of this process in the order in which they are asked. Filled on the main thread before the
/// workers run, only read from then on. Does not own them: they outlive it.
class PluginChain {
 public:
  /// False when the chain is full already.
  [[nodiscard]] bool add(Plugin& plugin) noexcept {
    if (size_ == max_chain_length) return false;
    plugins_[size_++] = &plugin;
    return true;
  }

  std::size_t size() const noexcept { return size_; }
  /// REQUIRES: index < size().
  Plugin& operator[](std::size_t index) const noexcept { return *plugins_[index]; }

 private:
  std::array<Plugin*, max_chain_length> plugins_{};
  std::size_t size_ = 0;
};

}  // namespace payg::plugin
