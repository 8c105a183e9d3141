#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/exit_config.h"
#include "plugin/api/plugin.h"
#include "proxy/exit.h"
#include "proxy/exit_group.h"

namespace payg::proxy {

/// Exits by where they stand: one group for each part of a location that somebody may ask for.
class LocationIndex {
 public:
  /// The exits outlive the index.
  explicit LocationIndex(const std::vector<const Exit*>& exits);
  /// Those that stand where `wanted` says; empty fields match any, case is ignored. nullptr: nobody does.
  const ExitGroup* find(const plugin::Location& wanted) const;

 private:
  std::unordered_map<std::string, ExitGroup> groups_;
};

/// The exits of a configuration. Immutable, shared by all workers and by the ways out that are under way; a
/// reload puts another one in its place, with the same Exit objects where nothing changed.
class ExitTable {
 public:
  /// REQUIRES: a configuration that was checked: at least one exit, well-formed addresses.
  /// `previous`: what was in force before; nullptr: nothing was.
  ExitTable(const std::vector<config::ExitConfig>& exits, const config::ExitHealthConfig& health,
            const ExitTable* previous = nullptr);

  /// An exit that is up and stands where `wanted` says, by weight among equals: see ExitGroup. The same `key`
  /// gets the same exit as long as that is in order. nullptr: none is there, or none that is up and was not
  /// `tried`.
  ExitRef choose(const plugin::Location& wanted, std::uint64_t key, ExitUse use = ExitUse::tcp,
                 std::span<const ExitRef> tried = {}) const;

  /// In the order of the configuration.
  const std::vector<ExitRef>& exits() const noexcept { return exits_; }
  std::vector<plugin::ExitReport> reports() const;
  void append_metrics(std::vector<plugin::Metric>& metrics) const;

  /// An exit worked, or failed by itself: tells its health, and the log when it came up or went down.
  void note_success(const Exit& exit, ExitHealth::Evidence evidence) const;
  void note_failure(const Exit& exit, ExitHealth::Source source, std::string_view why,
                    MonotonicTime now) const;
  /// See ExitHealth::put_off().
  void put_off(const Exit& exit, MonotonicTime now) const { exit.health().put_off(policy_, now); }
  /// Grows with each failure of any exit, so that who looks after them need not look at each. Goes on in the
  /// next table.
  std::uint64_t troubles() const noexcept { return news_->troubles.load(std::memory_order_acquire); }
  /// A probe that began then has reached the probe target, through any exit. Goes on likewise.
  void note_target_answer(MonotonicTime begun) const noexcept;
  /// One that began later than `moment` has.
  bool target_answered_since(MonotonicTime moment) const noexcept {
    return news_->last_answer_begun.load(std::memory_order_relaxed) > moment;
  }

  /// What is connected to through an exit to see whether it works; nullopt: the exit alone is looked at.
  const std::optional<HostAndPort>& probe_target() const noexcept { return probe_target_; }
  std::chrono::milliseconds probe_interval() const noexcept { return probe_interval_; }  ///< 0: none

 private:
  struct News {
    std::atomic<std::uint64_t> troubles{0};
    std::atomic<MonotonicTime> last_answer_begun{MonotonicTime::min()};
  };

  std::vector<ExitRef> exits_;
  HealthPolicy policy_;
  std::optional<HostAndPort> probe_target_;
  std::chrono::milliseconds probe_interval_;
  std::shared_ptr<const LocationIndex> for_tcp_;
  std::shared_ptr<const LocationIndex> for_udp_;
  std::shared_ptr<News> news_;
};

}  // namespace payg::proxy
