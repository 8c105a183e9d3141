#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "proxy/exit.h"

namespace payg::proxy {

/// Exits that fit alike. Chooses among them for a key, by weighted rendezvous hashing: each exit draws a
/// number from the key and its own name, and the best one wins. So every node chooses alike, whatever order
/// its configuration has, the share of each is its weight's, and an exit that comes or goes moves only its
/// own share of the keys, as long as there are 256 members at most.
///
/// Of more than these in two levels, so that ten thousand do not draw ten thousand numbers: their names
/// spread them over a fixed number of buckets, buckets draw by the weight of what is in them, and then the
/// exits of the bucket that won. There an exit that comes or goes moves keys of the others in its bucket,
/// too; and where it makes one level of two, or two of one, most keys move.
///
/// When the exit that won cannot be used, the key is changed in a fixed way and all draw again: its
/// keys move, evenly over all others, and no other key does.
///
/// Immutable; the exits' health apart.
class ExitGroup {
 public:
  /// In any order. The exits outlive the group.
  explicit ExitGroup(const std::vector<const Exit*>& exits);

  /// An exit that is up and not among those `tried`; nullptr: there is none.
  const Exit* choose(std::uint64_t key, std::span<const ExitRef> tried = {}) const noexcept;

 private:
  struct Member {
    const Exit* exit;
    std::uint64_t seed;
    double inverse_weight;
  };
  struct Bucket {
    std::uint64_t seed;
    double inverse_weight;
    std::uint32_t begin;  // its exits are members_[begin, end)
    std::uint32_t end;
  };

  const Bucket& choose_bucket(std::uint64_t key) const noexcept;
  /// Whether it can be used or not.
  const Exit& winner(std::uint64_t key) const noexcept;
  static double draw(std::uint64_t key, const Member& member) noexcept;

  std::vector<Member> members_;  // by bucket
  std::vector<Bucket> buckets_;  // those that hold an exit
};

}  // namespace payg::proxy
