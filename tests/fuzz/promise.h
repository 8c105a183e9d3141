#pragma once

#include <string_view>

namespace payg::fuzz {

/// Ends the program with `what` when a promise is not kept; the fuzzer, or whoever replays, has the input.
void must(bool kept, std::string_view what) noexcept;

}  // namespace payg::fuzz
