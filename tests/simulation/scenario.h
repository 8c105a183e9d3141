#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
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
  kills,         ///< a node dies and starts again later
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
                                             Sabotage::no_renewal_after_reload};
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
  std::chrono::milliseconds outage_grace{0};
  std::optional<std::chrono::milliseconds> lease;  ///< of a node; none: it may be away for ever
  billing::Terms terms;
  billing::StartTerms start_terms;
  unsigned heavy_percent = 0;  ///< of the users who hold long connections; the others browse
  Locking locking = Locking::skips;
  Sabotage sabotage = Sabotage::none;
};

/// How large a world the seed may make.
enum class Size { small, full };

Scenario make_scenario(std::uint64_t seed, Size size);
/// Hundreds of users on every node, and a ledger that is away again and again: as it comes back, every node
/// has a large batch with the same users in it.
Scenario make_crowd(std::uint64_t seed);
/// The same with one part broken.
Scenario break_part(Scenario scenario, Sabotage part);
/// One line: what the seed has come to.
std::string describe(const Scenario& scenario);

/// Terms that a reload may bring: prices that are exact, increments from seconds to minutes.
billing::Terms make_terms(std::uint64_t random);

}  // namespace payg::simulation
