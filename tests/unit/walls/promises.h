#pragma once

#include <vector>

#include "tests/unit/walls/walls.h"

namespace payg::walls {

struct Promises {
  int rows = 0;       ///< that were looked at
  Breaches untested;  ///< those that name no test there is
};

/// What the READMEs' tables with a last column "test" say. Its cells name tests as `Suite`, `Suite.Name`, or
/// `Suite.BeginOfAName…`, several with commas between them; one that is disabled shows nothing.
Promises check_promises(const std::vector<SourceFile>& tree);

}  // namespace payg::walls
