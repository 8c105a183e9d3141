#pragma once

#include <cstddef>
#include <string>

#include "tests/support/harness/temp_folder.h"

namespace payg::test {

/// A file system in memory with room for so many bytes, and for as many more as make_room() gives back.
/// REQUIRES: enter_private_mounts() was called in main(). Throws HarnessError.
class SmallDisk {
 public:
  explicit SmallDisk(std::size_t bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& path() const { return folder_.path(); }
  /// Writes a file until nothing more fits. Who has room within files of his own still has it.
  void fill() const;
  /// Takes that file away.
  void make_room() const;

 private:
  std::string filler() const { return path() + "/filler"; }

  TempFolder folder_;
};

}  // namespace payg::test
