#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_tables.h"

namespace payg::simulation {

/// How a ledger that is away looks from outside.
enum class Away : std::uint8_t {
  no,
  refuses,    ///< calls fail at once
  is_silent,  ///< … after Ledger::longest_silence
};

/// What became of a call: whether COMMIT was reached is not said when it failed.
enum class Fate : std::uint8_t { done, unavailable };

/// The ledger as nodes reach it: calls travel, take locks in the order of the users' ids, work, COMMIT, and
/// are answered, each of it later; they may be lost before COMMIT or after it. Reads see what is committed.
class SimLedger {
 public:
  using Charged = std::function<void(const billing::LedgerResult<std::vector<billing::ChargeResult>>&)>;
  using Ended = std::function<void(const billing::LedgerResult<std::vector<billing::EndResult>>&)>;
  using TakenOver = std::function<void(const billing::LedgerResult<billing::LostPortion>&)>;
  /// What is done at COMMIT.
  using Work = std::function<void(SimTables&, MonotonicTime)>;
  using Done = std::function<void(Fate)>;

  SimLedger(const Scenario& scenario, Scheduler& scheduler, Examiner& examiner);
  ~SimLedger();

  SimTables& tables() { return tables_; }

  void charge(const Sender& sender, std::vector<billing::ChargeRequest> requests, Charged done);
  void end_sessions(const Sender& sender, std::vector<billing::EndRequest> requests, Ended done);
  void end_lost_sessions(const Sender& sender, const billing::NodeSign& last_sign, TakenOver done);
  /// A read, or a write that locks one user and waits for him.
  void ask(NodeNumber node, std::optional<UserId> user, Work work, Done done);

  /// What a call may meet on its way. The ledger may be away besides.
  struct Trouble {
    enum class Loss : std::uint8_t { none, before_commit, after_commit };
    Loss loss = Loss::none;
    Away loses_how = Away::refuses;
    std::chrono::nanoseconds there{0}, inside{0}, back{0};  ///< longer than it would take

    bool is_none() const {
      return loss == Loss::none && there + inside + back == std::chrono::nanoseconds(0);
    }
  };
  /// For what a node asks several times a second, which would make a world of nothing else: what it meets.
  /// None: it is answered at once, and may be done by tables() on the spot. Else it goes the long way.
  std::optional<Trouble> trouble_for(NodeNumber node);
  void ask(NodeNumber node, const Trouble& trouble, Work work, Done done);

  void begin_outage(Away how);
  void end_outage();
  void begin_partition(NodeNumber node, Away how);
  void end_partition(NodeNumber node);
  /// Somebody holds a user's row.
  void hold(UserId user, std::chrono::nanoseconds time);

 private:
  struct Call;
  using Loss = Trouble::Loss;
  enum class Patience : std::uint8_t { none, some, endless };  // with a row that somebody else has

  Call* new_call(const Sender& sender);
  void free(Call* call);
  Trouble draw_trouble();
  void send(Call* call);
  void send(Call* call, const Trouble& trouble);
  Away away_for(NodeNumber node) const;
  void arrive(Call* call);
  void want_users_of_lost(Call& call);
  void fail(Call* call, Away how);
  void take_locks(Call* call);
  bool take_lock(Call* call, std::size_t place);
  void stand_in_line(Call* call, UserId user);
  void give_up_line(Call* call, std::uint64_t serial);
  void look_for_deadlock(const Call* call);
  void work(Call* call);
  void commit(Call* call);
  void release(Call* call);
  void answer(Call* call, Fate fate);
  void apply(Call& call);
  bool has_lock_on(const Call& call, UserId user) const;
  Scheduler::Duration network() {
    return random_.between(std::chrono::microseconds(100), std::chrono::milliseconds(2));
  }

  const Scenario& scenario_;
  Scheduler& scheduler_;
  Examiner& examiner_;
  Random random_;
  SimTables tables_;

  std::vector<std::unique_ptr<Call>> calls_;
  std::vector<Call*> free_calls_;
  std::vector<Call*> holders_;  // by user
  std::unordered_map<UserId, std::deque<Call*>> lines_;
  Away away_ = Away::no;
  std::vector<Away> away_for_node_;
  std::uint64_t crashes_ = 0;
  std::uint64_t serials_ = 0;
};

}  // namespace payg::simulation
