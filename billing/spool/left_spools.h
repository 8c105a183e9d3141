#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "billing/core/credits.h"

namespace payg::billing {

/// A spool with charges that nobody is about to pay.
struct LeftSpool {
  std::string path;
  std::string node;  ///< that owes them
  std::size_t charges = 0;
  Credits price;  ///< of all of them
};

/// Spools of other nodes beside this node's own, with its extension, that hold charges and that no process
/// has locked: as one is left that a node had before it was given another name. By their names. Changes
/// nothing; what cannot be read is passed over. Blocks on the disk.
std::vector<LeftSpool> left_spools(const std::string& own_path);

}  // namespace payg::billing
