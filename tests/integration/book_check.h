#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <string>

#include "tests/integration/ledger_rows.h"
#include "tests/integration/promises.h"

namespace payg::test {

/// What the configuration says that time costs.
struct PriceOfTime {
  std::int64_t units_per_increment;
  std::chrono::milliseconds increment;
};

/// Holds a ledger's rows against what is promised to everybody (time costs what it costs, what was charged
/// stays charged, what has ended stays as it ended) and against what somebody was told. It remembers what it
/// has seen, so that a later look notices what has changed that may not. Whatever is wrong fails the running
/// test. `paygctl audit` proves what it does not look at: that balances and histories agree.
class BookCheck {
 public:
  BookCheck(std::string ledger_url, PriceOfTime price) : rows_(std::move(ledger_url)), price_(price) {}

  /// What a node's start has settled of its earlier lives.
  struct Settled {
    std::int64_t sessions = 0;
    std::int64_t units = 0;
    bool operator==(const Settled&) const = default;
    friend void PrintTo(const Settled& settled, std::ostream* out) {
      *out << settled.sessions << " sessions, " << settled.units << " units";
    }
  };

  /// Returns what was settled since the last look. `longest`: how long the life lasted, at most, in which the
  /// sessions ran that are new in this look; nothing: it is not known.
  Settled look(const Promises& promises, std::optional<std::chrono::milliseconds> longest = std::nullopt);

  /// Every purchase and adjustment that was begun has been answered: there are these and no others.
  void expect_no_others(const Promises& promises) const;

  std::int64_t open_sessions() const;
  std::int64_t charges() const;  ///< that the last look has seen
  std::size_t sessions() const { return seen_.size(); }

 private:
  struct Session {
    std::int64_t charges = 0, charged = 0, posted = 0, granted_ms = 0, last_amount = 0, last_grant_ms = 0;
    std::string ended_at, why;
    bool operator==(const Session&) const = default;
  };
  using Sessions = std::map<std::string, Session>;

  Sessions read_sessions() const;
  void check_price(const std::string& id, const Session& session) const;
  void check_change(const std::string& id, const Session& before, const Session& now) const;
  void check_charges(const Sessions& now, const Promises::Kept& promises) const;
  void check_purchases(const Promises::Kept& promises) const;
  void check_adjustments(const Promises::Kept& promises) const;
  void check_sums() const;

  LedgerRows rows_;
  PriceOfTime price_;
  Sessions seen_;
};

}  // namespace payg::test
