#pragma once

#include <vector>

#include "tests/unit/walls/walls.h"

namespace payg::walls {

/// Each row of a README's table with a last column "test" that names no test there is. A cell names tests as
/// `Suite`, `Suite.Name`, or `Suite.BeginOfAName…`, several with commas between them.
Breaches untested_promises(const std::vector<SourceFile>& tree);

}  // namespace payg::walls
