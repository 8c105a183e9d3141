#pragma once

#include <chrono>
#include <cstdint>

#include "billing/core/credits.h"
#include "billing/core/end_reason.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// What an increment costs and lasts, as configured at one time.
struct Terms {
  Credits price;  ///< exactly rate × increment
  std::chrono::milliseconds increment{0};
  Rate rate = Rate::from_thousandths(1);
  bool operator==(const Terms&) const = default;
};

/// Whether a connection of the session was open at its deadline.
enum class AtDeadline { connected, alone };

/// The metering rule of DESIGN.md for one session: what is bought when, and when it is over. Knows neither
/// the ledger nor the connections; its owner tells it what happened, in the order in which it did.
///
///   buying    relays; at least one increment is owed. Where every session begins.
///   running   relays; paid until deadline().
///   settling  relays nothing any more; what it owes is still posted.
///   ended     nothing is owed; the ledger is to be told of the end.
///
///              granted, nothing more owed
///     buying ─────────────────────────────▶ running
///       │  ◀───────────────────────────────  │
///       │    deadline, connected             │ deadline, alone · cut
///       │ deadline, alone · cut              ▼
///       ├───────▶ settling ───────────────▶ ended
///       └──────── exhausted · fenced ───────▶
///
/// Every increment begins where the last one ended, on absolute monotonic time. Increments that fall due
/// while the ledger gives no answer are owed: counted, and paid one after the other when it does. A grant
/// that is shorter than its increment moves the deadline to its own end, and what was owed behind it is asked
/// for again from there: with nothing on the balance that is where the session ends, after a top-up it goes
/// on.
///
/// No threads, no clock: as thread-safe as an int.
class Meter {
 public:
  enum class State : std::uint8_t { buying, running, settling, ended };

  /// Starts: increment 1 begins at `start` and is owed. `terms` outlives the meter.
  Meter(MonotonicTime start, const Terms& terms) noexcept
      : begin_(start), deadline_(start + terms.increment), terms_(&terms) {}

  State state() const noexcept { return state_; }
  /// Relaying: its connections are alive as far as the meter is concerned.
  bool is_live() const noexcept { return state_ == State::buying || state_ == State::running; }

  /// When reach_deadline() is due: the end of what is paid, or while increments are owed the end of the last
  /// of them. REQUIRES: is_live().
  MonotonicTime deadline() const noexcept { return deadline_; }
  /// While increments are owed: when the session has gone on for as long as it may without an answer.
  /// MonotonicTime::max() while none is. REQUIRES: is_live().
  MonotonicTime outage_limit(std::chrono::milliseconds outage_grace) const noexcept;

  /// The next charge to be sent; the same until it is answered. REQUIRES: owed() > 0.
  std::uint32_t next_number() const noexcept { return answered_ + 1; }
  MonotonicTime next_begin() const noexcept { return begin_; }
  /// What the next charge is to be made at: the terms in force when the oldest owed increment began.
  /// Increments that fall due behind it before it is answered share them.
  const Terms& terms() const noexcept { return *terms_; }
  std::uint32_t owed() const noexcept { return owed_; }
  /// Of the last one that is owed. REQUIRES: owed() > 0.
  std::uint32_t last_number() const noexcept { return answered_ + owed_; }
  /// When the increment of an owed charge begins, as long as those before it buy all that they ask for.
  /// REQUIRES: next_number() <= number <= last_number().
  MonotonicTime begin_of(std::uint32_t number) const noexcept {
    return begin_ + terms_->increment * (number - next_number());
  }

  /// REQUIRES: ended or settling.
  EndReason why() const noexcept { return why_; }

  /// deadline() has come. Connected: the next increment begins and is owed; if nothing was owed before, at
  /// `in_force` (which outlives the meter). Alone: it ends, and nothing is charged. REQUIRES: is_live().
  void reach_deadline(AtDeadline who, const Terms& in_force) noexcept;

  /// The next charge was answered: it bought `grant` > 0. REQUIRES: owed() > 0.
  void granted(std::chrono::milliseconds grant) noexcept;
  /// … it bought nothing. REQUIRES: owed() > 0.
  void exhausted() noexcept;
  /// It is not to go on, and what it owes is not asked for any more: it ended elsewhere (as the answer to a
  /// charge may say, or the time that this node was away for), the user is gone or disabled, or he has as
  /// many sessions as he may.
  void fenced(EndReason why) noexcept;

  /// Relays nothing from here on. What has begun is still posted. A meter that is no longer live stays as it
  /// is.
  void cut(EndReason why) noexcept;

 private:
  void move_to(State next) noexcept { state_ = next; }
  void finish(EndReason why) noexcept;

  MonotonicTime begin_;  // of the oldest unanswered increment; of the next one when none is owed
  MonotonicTime deadline_;
  const Terms* terms_;
  std::uint32_t answered_ = 0;
  std::uint32_t owed_ = 1;
  State state_ = State::buying;
  EndReason why_ = EndReason::idle;
};

}  // namespace payg::billing
