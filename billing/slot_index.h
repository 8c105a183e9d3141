#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace payg::billing {

/// A hash index that holds nothing but slot numbers: about 8 bytes an entry where a node-based map takes 40,
/// and there are three for each of a million sessions. What the entries are is known to the caller, who
/// passes their hashes in. Open addressing with linear probing; erasing closes the gap, so that nothing wears
/// out.
///
/// HashOf is a callable slot → hash, the same at each call. Not thread-safe.
class SlotIndex {
 public:
  using Slot = std::uint32_t;

  /// The first entry with this hash for which `matches(slot)` is true.
  template <class Matches>
  std::optional<Slot> find(std::size_t hash, Matches matches) const {
    if (places_.empty()) return std::nullopt;
    for (std::size_t place = hash & mask();; place = (place + 1) & mask()) {
      const Slot stored = places_[place];
      if (stored == free_place) return std::nullopt;
      if (matches(stored - 1)) return stored - 1;
    }
  }

  /// REQUIRES: no entry equal to it is there.
  template <class HashOf>
  void insert(Slot slot, HashOf hash_of) {
    if (places_.empty() || (count_ + 1) * 4 > places_.size() * 3) grow(hash_of);
    place(slot, hash_of(slot));
    ++count_;
  }

  /// REQUIRES: the entry is there.
  template <class HashOf>
  void erase(Slot slot, HashOf hash_of) {
    std::size_t gap = hash_of(slot) & mask();
    while (places_[gap] != slot + 1) gap = (gap + 1) & mask();
    for (std::size_t next = (gap + 1) & mask(); places_[next] != free_place; next = (next + 1) & mask()) {
      const std::size_t home = hash_of(places_[next] - 1) & mask();
      const bool reaches_over_gap = ((next - home) & mask()) >= ((next - gap) & mask());
      if (!reaches_over_gap) continue;
      places_[gap] = places_[next];
      gap = next;
    }
    places_[gap] = free_place;
    --count_;
  }

 private:
  static constexpr Slot free_place = 0;  // entries are stored plus one
  static constexpr std::size_t first_size = 16;

  std::size_t mask() const { return places_.size() - 1; }

  void place(Slot slot, std::size_t hash) {
    std::size_t at = hash & mask();
    while (places_[at] != free_place) at = (at + 1) & mask();
    places_[at] = slot + 1;
  }

  template <class HashOf>
  void grow(HashOf hash_of) {
    std::vector<Slot> old(places_.empty() ? first_size : places_.size() * 2, free_place);
    old.swap(places_);
    for (const Slot stored : old) {
      if (stored != free_place) place(stored - 1, hash_of(stored - 1));
    }
  }

  std::vector<Slot> places_;  // a power of two
  std::size_t count_ = 0;
};

}  // namespace payg::billing
