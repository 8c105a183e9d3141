#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "billing/biller.h"
#include "billing/session_table.h"
#include "tests/support/fake_clock.h"

namespace payg::test {

using billing::Biller;
using billing::BillerSettings;
using billing::Credits;
using billing::Cut;
using billing::EndReason;
using billing::Rate;
using billing::SessionTable;
using billing::Terms;
using billing::UserId;

inline constexpr Terms minute_at_eighty_cents{.price = Credits::from_units(48'000),
                                              .increment = std::chrono::minutes(1),
                                              .rate = Rate::from_thousandths(800)};

using Charged = billing::LedgerResult<std::vector<billing::ChargeResult>>;
using Ended = billing::LedgerResult<std::vector<billing::EndResult>>;

/// Answers batches: what stands where the ledger does.
class Till {
 public:
  virtual ~Till() = default;
  virtual Charged charge(const std::vector<billing::ChargeRequest>& requests) = 0;
  virtual Ended end(const std::vector<billing::EndRequest>& requests) = 0;
};

/// Balances in a map, with a record of everything that was asked.
class MapTill final : public Till {
 public:
  enum class Mood { answering, away, losing_answers, selling_to_another_life };

  Charged charge(const std::vector<billing::ChargeRequest>& requests) override;
  Ended end(const std::vector<billing::EndRequest>& requests) override;

  Mood mood = Mood::answering;
  std::map<UserId, Credits> balances;
  std::vector<billing::ChargeRequest> charges;  ///< that were applied
  std::map<std::pair<billing::SessionId, std::uint32_t>, std::chrono::milliseconds> grants;
  std::vector<std::pair<UserId, std::int64_t>> amounts;  ///< in units, one for each charge
  std::vector<billing::EndRequest> ends;
  int batches = 0;              ///< of charges
  std::set<UserId> locked;      ///< by somebody else: later
  std::set<UserId> in_a_crowd;  ///< by one after the other: later, unless one stands in line

 private:
  bool is_locked(UserId user, billing::Turn turn) const;
  billing::ChargeResult charge_one(const billing::ChargeRequest& request);

  struct Row {
    std::uint32_t number = 0;
    billing::ChargeResult result;
  };
  std::map<billing::SessionId, Row> rows_;
  std::set<std::pair<UserId, billing::SessionId>> live_;
};

/// What stands where the spool does: keeps in a list what is written, and forgets what is settled.
struct ListSpool {
  enum class Mood { writing, full, silent };

  Mood mood = Mood::writing;
  std::map<billing::ChargeKey, billing::ChargeRequest> kept;
  int writes = 0;
};

/// A node under a simulated clock: a table, a biller, and the loop that BillingThread would run.
class MeterRig {
 public:
  explicit MeterRig(Till& till, const Terms& terms = minute_at_eighty_cents,
                    const BillerSettings& settings = {});

  /// A connection that was admitted, whatever the balance, and is not yet established.
  plugin::SessionHandle admit(UserId user, std::string_view label = {});
  void establish(plugin::SessionHandle session);
  /// Admitted and established now.
  plugin::SessionHandle connect(UserId user, std::string_view label = {});
  void disconnect(plugin::SessionHandle session) { table.closed(session, clock.now()); }

  /// Time goes by, and everything that falls due in it is done at its own moment.
  void run_for(std::chrono::nanoseconds time) { run_until(clock.now() + time); }
  void run_until(MonotonicTime moment);
  /// Until nothing falls due any more.
  void run_dry();
  /// Does what is to be done now.
  void step();

  billing::Moment moment() const { return {clock.now(), clock.wall_now()}; }
  /// Why a session was cut; nullopt: it was not.
  std::optional<EndReason> cut(plugin::SessionHandle session) const;
  std::optional<MonotonicTime> cut_at(plugin::SessionHandle session) const;
  billing::SessionId id_of(plugin::SessionHandle session) { return table.find(session)->id; }

  FakeClock clock;
  Till& till;
  ListSpool spool;
  SessionTable table;
  Biller biller;

 private:
  struct CutSeen {
    Cut cut;
    MonotonicTime at;
  };
  void write_spool();

  std::vector<CutSeen> cuts_;
};

}  // namespace payg::test
