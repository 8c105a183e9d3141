#include "proxy/exit.h"

#include "plugin/base/spread_bits.h"

namespace payg::proxy {
namespace {

bool is_at(const plugin::Location& place, const plugin::Location& wanted) {
  const auto fits = [](const std::string& has, const std::string& asked) {
    return asked.empty() || has == asked;
  };
  return fits(place.country, wanted.country) && fits(place.state, wanted.state) &&
         fits(place.city, wanted.city) && fits(place.isp, wanted.isp);
}

}  // namespace

ExitTable::ExitTable(const std::vector<config::ExitConfig>& exits) {
  for (const auto& exit : exits) {
    exits_.push_back(Exit{.name = exit.name,
                          .location = {exit.country, exit.state, exit.city, exit.isp},
                          .source = IpAddress::parse(exit.source_address),
                          .weight = exit.weight});
  }
}

const Exit* ExitTable::choose(const plugin::Location& wanted, std::uint64_t key) const {
  std::uint64_t total = 0;
  for (const auto& exit : exits_) {
    if (is_at(exit.location, wanted)) total += exit.weight;
  }
  if (total == 0) return nullptr;
  std::uint64_t point = spread_bits(key) % total;
  for (const auto& exit : exits_) {
    if (!is_at(exit.location, wanted)) continue;
    if (point < exit.weight) return &exit;
    point -= exit.weight;
  }
  return nullptr;
}

std::vector<plugin::ExitReport> ExitTable::reports() const {
  std::vector<plugin::ExitReport> reports;
  for (const auto& exit : exits_) {
    reports.push_back({.name = exit.name,
                       .kind = "direct",
                       .location = exit.location,
                       .weight = exit.weight,
                       .state = plugin::ExitState::up,
                       .why_down = {}});
  }
  return reports;
}

}  // namespace payg::proxy
