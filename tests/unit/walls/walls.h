#pragma once

#include <string>
#include <vector>

#include "tests/unit/walls/source_text.h"

namespace payg::walls {

/// One place where the tree breaks a wall of DESIGN.md: "path:line: what".
using Breaches = std::vector<std::string>;

/// Everything that one file breaks, in the order of the walls.
Breaches breaches_of(const SourceFile& file);

/// Each folder that lacks its README.md.
Breaches missing_readmes(const std::vector<SourceFile>& tree);

}  // namespace payg::walls
