#pragma once

#include <cstdint>

namespace payg {

/// Numbers that are alike become numbers that are not, each another one: the finalizer of splitmix64
/// (https://prng.di.unimi.it/splitmix64.c). For tables; nothing that is secret stays so.
constexpr std::uint64_t spread_bits(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

}  // namespace payg
