#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/proxy_config.h"
#include "plugin/api/plugin.h"
#include "plugin/base/address.h"

namespace payg::proxy {

/// A way out to the internet.
struct Exit {
  std::string name;
  plugin::Location location;
  std::optional<IpAddress> source;  ///< what connections are bound to; nullopt: the kernel chooses
  unsigned weight = 1;
};

/// The exits of a configuration. Immutable, shared by all workers.
class ExitTable {
 public:
  /// The configuration has been checked: at least one exit, well-formed addresses.
  explicit ExitTable(const std::vector<config::ExitConfig>& exits);

  /// An exit that stands where `wanted` says (fields that are empty match any), by weight among equals. The
  /// same `key` gets the same exit as long as the table is the same. nullptr: no exit is there.
  const Exit* choose(const plugin::Location& wanted, std::uint64_t key) const;

  /// All of them, in the order of the configuration.
  std::vector<plugin::ExitReport> reports() const;

 private:
  std::vector<Exit> exits_;
};

}  // namespace payg::proxy
