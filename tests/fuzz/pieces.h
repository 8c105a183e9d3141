#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

namespace payg::fuzz {

/// A way in which bytes can arrive: how many are there at each call, the last time all of them.
using Arrival = std::vector<std::size_t>;

/// Whole; one at a time (long inputs in pieces of a prime number); and in pieces whose sizes hang on nothing
/// but the input, so that a find stays one.
std::vector<Arrival> arrivals_of(std::string_view input);

/// The same as pieces that follow each other, each in memory of its own, so that a sanitizer sees every look
/// beside it.
void in_pieces(std::string_view input, const Arrival& arrival,
               const std::function<void(std::string_view piece)>& take);

}  // namespace payg::fuzz
