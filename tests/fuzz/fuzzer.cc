// What libFuzzer calls: one program for each target, which the build names.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (data == nullptr) data = reinterpret_cast<const std::uint8_t*>("");
  payg::fuzz::PAYG_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
