#include "tests/fuzz/promise.h"

#include <cstdio>
#include <cstdlib>

namespace payg::fuzz {

void must(bool kept, std::string_view what) noexcept {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace payg::fuzz
