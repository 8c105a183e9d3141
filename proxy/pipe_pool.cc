#include "proxy/pipe_pool.h"

#include <fcntl.h>

namespace payg::proxy {

Pipe PipePool::take() {
  if (in_use_ == most_in_use_) return {};
  Pipe pipe = make();
  if (pipe.read_end) ++in_use_;
  return pipe;
}

Pipe PipePool::make() {
  if (!kept_.empty()) {
    Pipe pipe = std::move(kept_.back());
    kept_.pop_back();
    return pipe;
  }
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return {};
  Pipe pipe{.read_end = UniqueFd(ends[0]), .write_end = UniqueFd(ends[1])};
  // A quarter of a megabyte takes four of the 64 KiB steps that the default would need. The kernel refuses
  // when the user has too many pages in pipes (fs.pipe-user-pages-soft), and gives new ones 8 KiB then: slow,
  // but right.
  constexpr int wanted = 256 * 1024;
  fcntl(ends[1], F_SETPIPE_SZ, wanted);
  const int granted = fcntl(ends[1], F_GETPIPE_SZ);
  pipe.capacity = granted > 0 ? static_cast<std::size_t>(granted) : 4096;
  return pipe;
}

void PipePool::give_back(Pipe pipe) {
  if (!pipe.read_end) return;
  --in_use_;
  if (pipe.size == 0 && kept_.size() < most_kept) kept_.push_back(std::move(pipe));
}

}  // namespace payg::proxy
