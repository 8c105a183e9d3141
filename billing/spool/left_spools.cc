#include "billing/spool/left_spools.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
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

/// nullopt: it is no spool, or holds nothing.
std::optional<LeftSpool> read(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const auto node = read_spool_header(line);
  if (!node) return std::nullopt;
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
    if (auto left = read(path); left && !has_owner(left->path)) found.push_back(*std::move(left));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return found;
}

}  // namespace payg::billing
