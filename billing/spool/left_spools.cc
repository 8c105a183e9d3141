#include "billing/spool/left_spools.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include "billing/spool/spool.h"
#include "billing/spool/spool_line.h"
#include "plugin/base/unique_fd.h"

namespace payg::billing {
namespace {

namespace fs = std::filesystem;

/// More than a header has, whatever the node is called. Who knows what else lies there, in one line.
constexpr std::size_t longest_header = 1024;

/// The node whose spool it is, from its first line; nullopt: it is none.
std::optional<std::string> read_node(std::ifstream& file) {
  std::array<char, longest_header> line{};
  if (!file.getline(line.data(), line.size())) return std::nullopt;
  return read_spool_header(line.data());
}

/// nullopt: it is no spool, or holds nothing.
std::optional<LeftSpool> read(const fs::path& path) {
  std::ifstream file(path);
  const auto node = read_node(file);
  if (!node) return std::nullopt;
  std::string line;
  std::map<ChargeKey, Credits> prices;
  while (std::getline(file, line)) {
    if (const auto charge = read_spool_line(line)) {
      prices.insert_or_assign({charge->user, charge->session, charge->number}, charge->price);
    } else if (const auto settled = read_settled_line(line)) {
      prices.erase(*settled);
    }
  }
  if (prices.empty()) return std::nullopt;
  LeftSpool left{.path = path.string(), .node = *node, .charges = prices.size(), .price = {}};
  for (const auto& [key, price] : prices)
    if (const auto sum = left.price.plus(price)) left.price = *sum;
  return left;
}

/// Whoever starts with it just now is told that it is locked for as long as this takes, and tries again.
bool has_owner(const std::string& path) {
  const UniqueFd lock(::open(Spool::lock_of(path).c_str(), O_RDONLY | O_CLOEXEC));
  return lock && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace

std::vector<LeftSpool> left_spools(const std::string& own_path) {
  const fs::path own(own_path);
  std::vector<LeftSpool> found;
  std::error_code error;
  const fs::path folder = own.has_parent_path() ? own.parent_path() : fs::path(".");
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const fs::path& path = it->path();
    std::error_code ignored;
    const bool may_be_one = path.extension() == own.extension() && path.filename() != own.filename() &&
                            it->is_regular_file(ignored);
    if (!may_be_one) continue;
    // First, because what a process that lives has may be large, and is not asked for.
    if (has_owner(path)) continue;
    if (auto left = read(path)) found.push_back(*std::move(left));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return found;
}

}  // namespace payg::billing
