#include "tests/support/harness/temp_folder.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/harness/patience.h"

namespace payg::test {

TempFolder::TempFolder() {
  path_ = (std::filesystem::temp_directory_path() / "payg-test-XXXXXX").string();
  if (!mkdtemp(path_.data())) throw HarnessError("cannot make a folder like " + path_);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::write(const std::string& name, const std::string& content) const {
  const std::string path = path_ + "/" + name;
  const std::string draft = path + ".new";
  std::ofstream file(draft, std::ios::binary);
  file << content;
  file.close();
  if (!file) throw HarnessError("cannot write " + path);
  std::filesystem::rename(draft, path);
  return path;
}

std::string read_file(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  if (!file) throw HarnessError("cannot read " + path);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

}  // namespace payg::test
