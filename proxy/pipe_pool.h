#pragma once

#include <cstddef>
#include <vector>

#include "plugin/base/unique_fd.h"

namespace payg::proxy {

/// A kernel pipe that splice(2) moves bytes through, with the number of bytes that are in it.
struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
  std::size_t size = 0;      ///< bytes inside
  std::size_t capacity = 0;  ///< as the kernel granted it
};

/// The pipes of one worker. Making one costs two descriptors and a page table, so those that are not in use
/// are kept.
class PipePool {
 public:
  /// At most so many at the same time, so that stalled bulk transfers leave descriptors for everybody else.
  explicit PipePool(std::size_t most_in_use) : most_in_use_(most_in_use) {}

  /// A pipe without bytes in it; one without ends when there are too many, or the process is out of
  /// descriptors.
  Pipe take();
  /// Keeps the pipe for the next taker if it is empty and there are few enough; closes it otherwise.
  void give_back(Pipe pipe);

 private:
  Pipe make();

  // Bulk transfers that run at the same moment on one worker seldom exceed this; more are made and closed as
  // needed.
  static constexpr std::size_t most_kept = 64;
  const std::size_t most_in_use_;
  std::size_t in_use_ = 0;
  std::vector<Pipe> kept_;
};

}  // namespace payg::proxy
