#include "proxy/exit_table.h"

#include <algorithm>

#include "plugin/base/text.h"
#include "proxy/log.h"

namespace payg::proxy {
namespace {

using plugin::LogLevel;
using plugin::Metric;

constexpr unsigned location_fields = 4;

const std::string& field_of(const plugin::Location& location, unsigned field) {
  switch (field) {
    case 0: return location.country;
    case 1: return location.state;
    case 2: return location.city;
    default: return location.isp;
  }
}

/// The fields of `location` that `mask` has a bit for, in one string.
std::string key_of(const plugin::Location& location, unsigned mask) {
  std::string key;
  for (unsigned field = 0; field < location_fields; ++field) {
    if ((mask & (1u << field)) != 0)
      for (const char c : field_of(location, field)) key += ascii_lower(c);
    key += '\0';
  }
  return key;
}

/// A bit for each field that says something.
unsigned mask_of(const plugin::Location& location) {
  unsigned mask = 0;
  for (unsigned field = 0; field < location_fields; ++field)
    if (!field_of(location, field).empty()) mask |= 1u << field;
  return mask;
}

std::vector<const Exit*> able_to(const std::vector<ExitRef>& exits, ExitUse use) {
  std::vector<const Exit*> able;
  for (const auto& exit : exits)
    if (exit->can_carry(use)) able.push_back(exit.get());
  return able;
}

/// The exits of `previous` by their names.
std::unordered_map<std::string_view, ExitRef> by_name(const ExitTable* previous) {
  std::unordered_map<std::string_view, ExitRef> exits;
  if (previous != nullptr)
    for (const auto& exit : previous->exits()) exits.emplace(exit->name(), exit);
  return exits;
}

}  // namespace

LocationIndex::LocationIndex(const std::vector<const Exit*>& exits) {
  std::unordered_map<std::string, std::vector<const Exit*>> members;
  for (const Exit* exit : exits) {
    const unsigned all = mask_of(exit->location());
    for (unsigned mask = 0; mask < 1u << location_fields; ++mask)
      if ((mask & ~all) == 0) members[key_of(exit->location(), mask)].push_back(exit);
  }
  groups_.reserve(members.size());
  for (const auto& [key, group] : members) groups_.emplace(key, group);
}

const ExitGroup* LocationIndex::find(const plugin::Location& wanted) const {
  const auto found = groups_.find(key_of(wanted, mask_of(wanted)));
  return found == groups_.end() ? nullptr : &found->second;
}

ExitTable::ExitTable(const std::vector<config::ExitConfig>& exits, const config::ExitHealthConfig& health,
                     const ExitTable* previous)
    : policy_{.failures = health.failures,
              .backoff = health.backoff,
              .longest_backoff = health.longest_backoff},
      probe_interval_(health.probe_interval),
      news_(previous != nullptr ? previous->news_ : std::make_shared<News>()) {
  if (!health.probe_target.empty()) probe_target_ = parse_host_and_port(health.probe_target);
  const auto known = by_name(previous);
  exits_.reserve(exits.size());
  for (const auto& config : exits) {
    const auto same = known.find(config.name);
    const bool is_kept = same != known.end() && same->second->is_made_of(config);
    exits_.push_back(is_kept ? same->second : std::make_shared<const Exit>(config));
  }
  const auto all = able_to(exits_, ExitUse::tcp);
  const auto able = able_to(exits_, ExitUse::udp);
  for_tcp_ = std::make_shared<const LocationIndex>(all);
  for_udp_ = able.size() == all.size() ? for_tcp_ : std::make_shared<const LocationIndex>(able);
}

ExitRef ExitTable::choose(const plugin::Location& wanted, std::uint64_t key, ExitUse use,
                          std::span<const ExitRef> tried) const {
  const ExitGroup* group = (use == ExitUse::udp ? for_udp_ : for_tcp_)->find(wanted);
  const Exit* exit = group != nullptr ? group->choose(key, tried) : nullptr;
  return exit != nullptr ? exit->shared_from_this() : nullptr;
}

std::vector<plugin::ExitReport> ExitTable::reports() const {
  std::vector<plugin::ExitReport> reports;
  reports.reserve(exits_.size());
  for (const auto& exit : exits_) reports.push_back(exit->report());
  return reports;
}

void ExitTable::append_metrics(std::vector<plugin::Metric>& metrics) const {
  const auto gauge = [&](const char* name, const char* help, const char* label, std::string of,
                         std::size_t value) {
    metrics.push_back({.name = name,
                       .help = help,
                       .kind = Metric::Kind::gauge,
                       .labels = {{label, std::move(of)}},
                       .value = static_cast<double>(value)});
  };
  const auto up = static_cast<std::size_t>(
      std::count_if(exits_.begin(), exits_.end(), [](const auto& exit) { return exit->health().is_up(); }));
  constexpr const char* help = "Exits, by whether connections may leave by them.";
  gauge("payg_proxy_exits", help, "state", "up", up);
  gauge("payg_proxy_exits", help, "state", "down", exits_.size() - up);
  for (const auto& exit : exits_)
    gauge("payg_proxy_exit_up", "1: connections may leave by this exit; 0: it is down.", "exit", exit->name(),
          exit->health().is_up() ? 1 : 0);
}

void ExitTable::note_target_answer(MonotonicTime begun) const noexcept {
  MonotonicTime last = news_->last_answer_begun.load(std::memory_order_relaxed);
  while (last < begun &&
         !news_->last_answer_begun.compare_exchange_weak(last, begun, std::memory_order_relaxed)) {
  }
}

void ExitTable::note_success(const Exit& exit, ExitHealth::Evidence evidence) const {
  if (exit.health().succeeded(evidence) == ExitHealth::Change::came_up)
    log(LogLevel::info, "exit",
        exit.name() + (evidence == ExitHealth::Evidence::whole ? " is up again" : " is up again, on trial"));
}

void ExitTable::note_failure(const Exit& exit, ExitHealth::Source source, std::string_view why,
                             MonotonicTime now) const {
  const auto change = exit.health().failed(source, why, policy_, now);
  // What was noted of the exit is seen by whoever sees this.
  news_->troubles.fetch_add(1, std::memory_order_release);
  if (change == ExitHealth::Change::went_down) {
    log(LogLevel::warning, "exit", exit.name() + " is down: " + std::string(why));
  } else {
    log(LogLevel::debug, "exit", exit.name() + " failed: " + std::string(why));
  }
}

}  // namespace payg::proxy
