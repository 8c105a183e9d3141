#pragma once

#include <string>

namespace payg::test {

/// A folder of its own for one test, removed with all that is in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  /// Writes a file in it, replacing what was there in one step, and returns the file's whole path.
  std::string write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

/// The content of a file. Throws HarnessError when it cannot be read.
std::string read_file(const std::string& path);

}  // namespace payg::test
