#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "billing/core/admission.h"
#include "billing/core/meter.h"
#include "billing/ledger/ledger.h"

namespace payg::simulation {

using billing::UserId;

enum class NodeNumber : std::uint8_t {};
enum class Label : std::uint8_t {};
inline constexpr unsigned most_nodes = 4;
inline constexpr unsigned most_labels = 3;
/// The name that billing knows the node by.
std::string name_of(NodeNumber node);
/// As it stands in user names; the first one is empty.
std::string name_of(Label label);

/// What may go wrong, and what people do besides connecting; each can be switched off.
enum class Fault : std::uint8_t {
  outages,       ///< the ledger is away, refusing or silent, shorter and longer than outage_grace
  partitions,    ///< … for one node only
  lost_calls,    ///< a call fails before its COMMIT, or after it
  late_answers,  ///< a call takes up to seconds on its way there, in the ledger, or on its way back
  long_locks,    ///< somebody holds a user's row for up to seconds
  kills,         ///< a node dies and starts again, at once or later
  pauses,        ///< a node is stopped and continued
  drains,        ///< a node is shut down in order and starts again
  full_disks,    ///< a node's spool cannot be written
  wall_jumps,    ///< a node's wall clock is set
  reloads,       ///< other prices and increments from now on
  operators,     ///< adjustments up and down, refunds, sessions ended, users disabled and enabled
};
inline constexpr std::array all_faults = {Fault::outages,      Fault::partitions, Fault::lost_calls,
                                          Fault::late_answers, Fault::long_locks, Fault::kills,
                                          Fault::pauses,       Fault::drains,     Fault::full_disks,
                                          Fault::wall_jumps,   Fault::reloads,    Fault::operators};
std::string_view name_of(Fault fault) noexcept;

class FaultSet {
 public:
  static FaultSet all() noexcept;
  bool has(Fault fault) const noexcept { return (bits_ >> static_cast<unsigned>(fault)) & 1U; }
  void add(Fault fault) noexcept { bits_ |= 1U << static_cast<unsigned>(fault); }
  void remove(Fault fault) noexcept { bits_ &= ~(1U << static_cast<unsigned>(fault)); }
  bool empty() const noexcept { return bits_ == 0; }

 private:
  std::uint32_t bits_ = 0;
};

/// What is deliberately broken, to see that it is noticed.
enum class Sabotage : std::uint8_t {
  none,
  // the ledger
  charge_again_on_retry,
  locks_in_order_asked,  ///< and waits for them
  clamp_after,           ///< takes the price, then sets what is below zero to zero
  below_zero,            ///< takes the price, whatever is there
  skip_fence,            ///< charges sessions that have ended
  sell_to_the_disabled,
  forget_end,     ///< answers that a session has ended, and writes nothing
  end_again,      ///< posts an end's usage again when it is asked again
  stale_balance,  ///< reads the balance before it has the row
  round_grant_up,
  credit_again_on_retry,  ///< looks at no reference
  forget_purchase,        ///< acknowledges before COMMIT
  charge_in_any_life,     ///< charges for a node that has started again since
  take_from_the_living,   ///< ends what a lost node had a while later, whether or not it has come back
  limit_on_each_node,     ///< counts a user's sessions on the node that asks alone
  limit_holds_on,         ///< counts a session that has ended for a while longer
  limit_at_the_door,      ///< lets charge 1 pass
  end_what_was_ended,     ///< ends those of a lost node's sessions again that have ended
  // the node
  drop_cut,     ///< tells nobody that a session is to be closed
  drop_closed,  ///< does not hear that a connection is over
  restart_without_settling,
  answer_of_the_last_batch,  ///< takes the answer to charge n for the one to n+1
  deadline_from_answer,
  deadline_by_wall_clock,
  ignore_grace,
  session_for_each_connection,
  start_below_minimum,
  ignore_resume_window,
  write_no_spool,  ///< says that it is safe
  restart_without_spool,
  no_renewal_after_reload,  ///< goes on at the old price
  leave_the_lost,           ///< ends no other node's sessions
  lease_without_grace,      ///< promises a lease in which it may still relay without the ledger
};
inline constexpr std::array all_sabotages = {Sabotage::charge_again_on_retry,
                                             Sabotage::locks_in_order_asked,
                                             Sabotage::clamp_after,
                                             Sabotage::below_zero,
                                             Sabotage::skip_fence,
                                             Sabotage::sell_to_the_disabled,
                                             Sabotage::forget_end,
                                             Sabotage::end_again,
                                             Sabotage::stale_balance,
                                             Sabotage::round_grant_up,
                                             Sabotage::credit_again_on_retry,
                                             Sabotage::forget_purchase,
                                             Sabotage::charge_in_any_life,
                                             Sabotage::take_from_the_living,
                                             Sabotage::limit_on_each_node,
                                             Sabotage::limit_holds_on,
                                             Sabotage::limit_at_the_door,
                                             Sabotage::end_what_was_ended,
                                             Sabotage::drop_cut,
                                             Sabotage::drop_closed,
                                             Sabotage::restart_without_settling,
                                             Sabotage::answer_of_the_last_batch,
                                             Sabotage::deadline_from_answer,
                                             Sabotage::deadline_by_wall_clock,
                                             Sabotage::ignore_grace,
                                             Sabotage::session_for_each_connection,
                                             Sabotage::start_below_minimum,
                                             Sabotage::ignore_resume_window,
                                             Sabotage::write_no_spool,
                                             Sabotage::restart_without_spool,
                                             Sabotage::no_renewal_after_reload,
                                             Sabotage::leave_the_lost,
                                             Sabotage::lease_without_grace};
std::string_view name_of(Sabotage sabotage) noexcept;

/// What the simulated ledger does when somebody else has a row locked: the last two show what becomes of
/// batches that wait.
enum class Locking : std::uint8_t { skips, waits_in_order, waits_as_asked };

/// Everything that one run is made from. The same scenario is the same run.
struct Scenario {
  std::uint64_t seed = 0;
  unsigned nodes = 1;
  std::chrono::minutes length{0};
  std::vector<UserId> users;  ///< who takes part: each does the same whoever else does
  FaultSet faults;
  std::chrono::seconds fault_pause{0};  ///< between two faults of one kind, on average
  // Of calls, one in so many is lost, or late, where that may be at all.
  std::uint64_t lost_once_in = 20'000, late_once_in = 20'000;
  std::chrono::milliseconds outage_grace{0};
  /// By which a node's lease is longer than what it relays for without the ledger: see lease_for().
  std::chrono::milliseconds lease_slack{0};
  billing::Terms terms;
  billing::StartTerms start_terms;
  std::uint32_t session_limit = 0;  ///< of one user on all nodes together; 0: any number
  unsigned heavy_percent = 0;       ///< of the users who hold long connections; the others browse
  Locking locking = Locking::skips;
  Sabotage sabotage = Sabotage::none;
};

/// How large a world the seed may make.
enum class Size { small, full };

Scenario make_scenario(std::uint64_t seed, Size size);
/// Hundreds of users on every node, and a ledger that is away again and again: as it comes back, every node
/// has a large batch with the same users in it.
Scenario make_crowd(std::uint64_t seed);
/// The same with one part broken, and what it takes to make that part matter happening often: what is noticed
/// is not left to luck.
Scenario break_part(Scenario scenario, Sabotage part);
/// One line: what the seed has come to.
std::string describe(const Scenario& scenario);

/// What the configuration asks for: how long a node may be silent before the others end its sessions.
std::chrono::milliseconds lease_for(const Scenario& scenario, const billing::Terms& terms);

/// Terms that a reload may bring: prices that are exact, increments from seconds to minutes.
billing::Terms make_terms(std::uint64_t random);

}  // namespace payg::simulation
