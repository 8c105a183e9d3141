#include "proxy/buffer.h"

#include <algorithm>

namespace payg::proxy {

std::span<char> Buffer::writable(std::size_t least) {
  if (capacity_ - end_ < least) {
    const std::size_t used = size();
    // Moving to the front is enough when half of the piece is free; otherwise grow, at least twofold.
    if (used + least <= capacity_ / 2) {
      std::memmove(data_.get(), data_.get() + begin_, used);
    } else {
      constexpr std::size_t smallest = 4096;
      const std::size_t capacity = std::max({smallest, capacity_ * 2, used + least});
      std::unique_ptr<char[]> grown(new char[capacity]);
      if (used != 0) std::memcpy(grown.get(), data_.get() + begin_, used);
      data_ = std::move(grown);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = used;
  }
  return {data_.get() + end_, capacity_ - end_};
}

}  // namespace payg::proxy
