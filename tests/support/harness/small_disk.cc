#include "tests/support/harness/small_disk.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "plugin/base/unique_fd.h"
#include "tests/support/harness/patience.h"

namespace payg::test {

SmallDisk::SmallDisk(std::size_t bytes) {
  const std::string size = "size=" + std::to_string(bytes);
  if (::mount("tmpfs", path().c_str(), "tmpfs", 0, size.c_str()) != 0)
    throw HarnessError("cannot mount a file system: " + std::string(std::strerror(errno)));
}

SmallDisk::~SmallDisk() {
  // Whoever still has a file open keeps it; nobody else sees the rest.
  ::umount2(path().c_str(), MNT_DETACH);
}

void SmallDisk::fill() const {
  const UniqueFd file(::open(filler().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const std::string page(4096, 'x');
  while (::write(file.get(), page.data(), page.size()) > 0) {
  }
  if (errno != ENOSPC) throw HarnessError("the disk is not full: " + std::string(std::strerror(errno)));
}

void SmallDisk::make_room() const {
  if (::unlink(filler().c_str()) != 0) throw HarnessError("the disk was not full");
}

}  // namespace payg::test
