#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "billing/biller.h"
#include "billing/session_table.h"
#include "tests/simulation/examiner.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_ledger.h"

namespace payg::simulation {

/// Whoever has connections, and is told what becomes of them. Called at the moment at which it happens.
class Clients {
 public:
  virtual ~Clients() = default;
  /// It is being dialled: establish() or leave() comes next.
  virtual void on_admitted(plugin::ConnectionId connection) = 0;
  virtual void on_refused(plugin::ConnectionId connection, Verdict why) = 0;
  /// Closed by the proxy, or gone with it.
  virtual void on_closed(plugin::ConnectionId connection) = 0;
};

/// One node: the real SessionTable and the real Biller, driven as BillingThread, NodeKeeper, Reception and
/// the workers drive them, with every step between two threads taking a little time. While it is paused
/// nothing of it moves, and what comes for it waits; when it dies all that it knew is gone, but not what it
/// had sent.
class SimNode {
 public:
  /// What all nodes live in.
  struct Surroundings {
    const Scenario& scenario;
    Scheduler& scheduler;
    SimLedger& ledger;
    Examiner& examiner;
    Journal& journal;
    Clients& clients;
  };

  SimNode(NodeNumber number, const Surroundings& surroundings);
  ~SimNode();

  // -- life
  bool is_up() const { return life_ != nullptr; }
  bool is_paused() const { return paused_; }
  /// How often it was started.
  std::uint32_t lives() const { return lives_; }
  void start();
  void kill();
  void pause();
  void resume();
  /// Ends every session, and is gone when the ledger knows, or after 45 s.
  void drain();
  void set_terms(const billing::Terms& terms);
  /// How long it may be silent.
  std::chrono::milliseconds lease() const { return lease_; }
  void jump_wall(std::chrono::milliseconds jump);
  void fill_disk();
  void free_disk();

  // -- the proxy's side
  void admit(plugin::ConnectionId connection, UserId user, Label label);
  void establish(plugin::ConnectionId connection);
  void leave(plugin::ConnectionId connection);

  // -- the admin port's side
  /// Metering::end(): only a session of this node.
  void end(billing::SessionId session);
  void user_disabled(UserId user);

 private:
  struct Life;
  using Task = std::function<void(billing::Biller&, const billing::Moment&)>;
  using Turn = billing::Turn;

  struct Connection {
    UserId user;
    Label label{};
    plugin::SessionHandle stay;
    plugin::SessionTraffic* traffic = nullptr;
    enum class State : std::uint8_t { dialling, open } state = State::dialling;
  };
  enum class State : std::uint8_t { starting, ready, draining };
  /// Whether a session of the user has ended here of which the ledger may not know yet.
  enum class Left : std::uint8_t { long_ago, just_now };

  MonotonicTime now() const;
  Sender sender() const;
  void set_lease(std::chrono::milliseconds lease);
  WallTime wall_now() const { return Scheduler::wall_at(surroundings_.scheduler.now()) + wall_error_; }
  billing::Moment moment() const { return {now(), wall_now()}; }
  bool has(Sabotage sabotage) const { return surroundings_.scenario.sabotage == sabotage; }
  void note(std::string_view what) const;
  StayName name_of_stay(plugin::SessionHandle stay, UserId user) const;

  /// Now, or when the node goes on; never in another life.
  void on_node(std::uint32_t life, std::function<void()> task);
  void later(std::chrono::nanoseconds time, std::function<void()> task);

  // -- as BillingThread
  void post(Task task);
  void wake_at(MonotonicTime at);
  void work();
  void send(Turn turn);
  void send_next(Turn turn);
  void send_charges(Turn turn, WallError error, std::vector<billing::ChargeRequest> charges);
  void send_ends(Turn turn, WallError error, std::vector<billing::EndRequest> ends);
  void take_answer(Turn turn, billing::LedgerResult<std::vector<billing::ChargeResult>> answer);
  void cut(const billing::Cut& cut);
  void close_all(plugin::SessionHandle stay);
  void look_whether_drained();

  // -- as NodeKeeper: one thing after the other, and then a pause
  using Step = void (SimNode::*)();
  void rest();
  void keep();
  void prepare();
  void begin_life(const billing::NodeStart& started);
  void not_prepared();
  void become_ready();
  void look();
  void note_signs(const SimTables& tables, MonotonicTime at);
  void looked(MonotonicTime asked_at, Fate fate);
  void heed_changes();
  void renew(Step then);
  void renewed(Fate fate, Step then);
  void take_over();
  void finish_keeping();
  void post_usage();

  // -- as EarlierLife, and the spool's thread
  void read_spool();
  void settle();
  void on_settled(const billing::LedgerResult<std::vector<billing::ChargeResult>>& answer);
  void settled(Fate fate);
  void add_left_open(const billing::SessionKey& session);
  void end_left_open();
  void write_spool();
  void note_recorded(const std::vector<billing::ChargeRequest>& charges, WallError error,
                     billing::Biller::Recorded outcome);
  void drop_settled(std::vector<billing::ChargeKey> keys);
  std::chrono::nanoseconds disk_time(std::chrono::nanoseconds takes);

  // -- as Reception
  bool ledger_is_away() const;
  void decide(plugin::ConnectionId connection, UserId user, Label label, MonotonicTime asked_at, Left left,
              const billing::Standing& standing);
  bool may_start(const billing::Standing& standing, Left left) const;
  void let_in(plugin::ConnectionId connection, UserId user, Label label, const billing::Seat& seat);
  void judge(plugin::ConnectionId connection, UserId user, Verdict verdict, MonotonicTime asked_at,
             plugin::SessionHandle stay = {});
  std::string label_for(plugin::ConnectionId connection, Label label) const;
  void forget(plugin::ConnectionId connection);

  const NodeNumber number_;
  const Surroundings surroundings_;
  Random random_;
  billing::Terms terms_;
  std::chrono::milliseconds lease_{0};
  /// What its last look saw of all nodes; empty: there was nothing new to see.
  std::vector<billing::NodeSign> signs_;
  std::uint32_t lives_ = 0;
  bool paused_ = false;
  WallError wall_error_{0};
  std::chrono::nanoseconds lost_time_{0};  // by damage alone
  std::vector<std::function<void()>> held_;
  /// On its disk, and there for the next life: a charge, and what the wall clock was wrong by as it was kept.
  struct Kept {
    billing::ChargeRequest charge;
    WallError error{0};
  };
  std::map<billing::ChargeKey, Kept> spool_;
  bool disk_is_full_ = false;
  MonotonicTime disk_is_free_at_{};  // when all is done that it was asked for
  std::unique_ptr<Life> life_;       // none: it is down
};

}  // namespace payg::simulation
