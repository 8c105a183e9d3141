#include "tests/bench/usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace payg::bench {
namespace {

std::string folder_of(pid_t pid) {
  return "/proc/" + std::to_string(pid);
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(folder_of(pid) + "/task", error)) {
    std::ifstream list(task.path() / "children");
    for (pid_t child; list >> child;) children.push_back(child);
  }
  return children;
}

template <class Visit>
void for_tree(pid_t pid, const Visit& visit) {
  visit(pid);
  for (const pid_t child : children_of(pid)) for_tree(child, visit);
}

std::chrono::microseconds ticks(long count) {
  return std::chrono::microseconds(count * 1'000'000 / sysconf(_SC_CLK_TCK));
}

}  // namespace

Usage usage_of(pid_t pid) {
  Usage usage;
  for_tree(pid, [&](pid_t one) {
    std::ifstream file(folder_of(one) + "/stat");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    // The second field is the program's name in brackets and may hold anything; count from its end.
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return;
    std::istringstream fields(text.substr(name_end + 1));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    long user = 0, system = 0;
    fields >> user >> system;
    usage.user += ticks(user);
    usage.system += ticks(system);
  });
  return usage;
}

std::uint64_t memory_bytes_of(pid_t pid) {
  std::uint64_t bytes = 0;
  for_tree(pid, [&](pid_t one) {
    std::ifstream file(folder_of(one) + "/smaps_rollup");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with("Pss:")) bytes += std::stoull(line.substr(4)) * 1024;
  });
  return bytes;
}

}  // namespace payg::bench
