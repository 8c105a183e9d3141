#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "billing/ledger/ledger.h"
#include "config/billing_config.h"

namespace payg::billing {

/// One session that this node meters, as it is at the moment of asking.
struct LiveSession {
  SessionId id;
  unsigned connections = 0;
  std::uint64_t up_bytes = 0;
  std::uint64_t down_bytes = 0;
};

/// away: it does not answer, or takes no charges.
enum class LedgerState { up, away };

/// How long charges took from their deadline to their answer: cumulative counts, as Prometheus histograms
/// want them.
struct LatencyHistogram {
  static constexpr std::array<double, 10> bounds_s{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5};
  std::array<std::uint64_t, bounds_s.size() + 1>
      counts{};  ///< not cumulative; the last one: above all bounds
  double sum_s = 0;
};

/// How those fared who asked to be let in.
struct ReceptionCounters {
  std::uint64_t wrong_tokens = 0;         ///< and names that nobody has
  std::uint64_t throttled = 0;            ///< refused unheard: too many wrong tokens from their address
  std::uint64_t refused_from_memory = 0;  ///< refused a moment ago for the same reason: the ledger was spared
  std::uint64_t standing_reads = 0;       ///< questions to the ledger, each for all who waited
};

struct MeteringCounters {
  std::uint64_t sessions_started = 0;
  std::uint64_t sessions_ended = 0;
  std::uint64_t sessions_live = 0;
  std::uint64_t charges = 0;  ///< granted ones
  std::uint64_t charged_units = 0;
  std::uint64_t charge_batches = 0;
  std::uint64_t charges_owed = 0;            ///< waiting for the ledger to answer
  std::uint64_t charges_spooled = 0;         ///< of these, the ones that are in the node's spool
  bool spool_is_broken = false;              ///< it could not be written the last time, or hangs
  std::chrono::milliseconds charge_wait{0};  ///< how long the ones under way have waited; 0: none are
  LatencyHistogram charge_latency;
  ReceptionCounters reception;
};

/// What the admin port may ask of the running meter. Every call is thread-safe and does not wait for the
/// ledger.
class Metering {
 public:
  virtual ~Metering() = default;

  /// nullopt: not live on this node.
  virtual std::optional<LiveSession> find(SessionId session) const = 0;
  /// Cuts a session of this node at once; the ledger hears of it soon after. False: not live on this node.
  virtual bool end(SessionId session, EndReason why) = 0;
  /// The user's token, state, location or balance was changed through this process, and this is what he is
  /// now: what is remembered of him follows, and if he is disabled his sessions on this node are cut.
  virtual void user_changed(const User& user) = 0;
  /// What the user has listed was changed through this process, and this is all of it now.
  virtual void networks_changed(const NetworkList& list) = 0;

  /// In force now; SIGHUP replaces it.
  virtual std::shared_ptr<const config::PricingConfig> pricing() const = 0;
  virtual LedgerState ledger_state() const = 0;
  /// False for good: the process is stopping, or another one has started by this node's name.
  virtual bool is_in_service() const = 0;
  virtual MeteringCounters counters() const = 0;
};

}  // namespace payg::billing
