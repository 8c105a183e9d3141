#pragma once

#include <cstdint>
#include <optional>

#include "plugin/base/clock.h"

namespace payg::billing {

/// Who is there: the attachments of one session, counted. Answers exactly whether a connection was open at
/// one moment that was named beforehand, even when it is asked later and connections have come and gone
/// since: at a deadline it is the deadline that counts, not the moment at which a thread gets round to it.
class Presence {
 public:
  /// An admission was answered; the connection is being made.
  void admitted() noexcept { ++pending_; }
  /// REQUIRES: was admitted.
  void opened(MonotonicTime at) noexcept;
  /// An admission whose connection was never made. REQUIRES: was admitted.
  void abandoned() noexcept { --pending_; }
  /// A connection that was open is over. REQUIRES: was opened.
  void closed(MonotonicTime at) noexcept;

  /// From here on open_at_watched() and opened_after_watched() speak of this moment.
  void watch(MonotonicTime moment) noexcept;
  MonotonicTime watched() const noexcept { return watched_; }
  /// Whether a connection was open at the watched moment. One that closed at that very moment was not; one
  /// that opened at it was. When the moment lay in the past as it was named, and connections have changed
  /// since: what is now. REQUIRES: the moment has come.
  bool open_at_watched() const noexcept;
  /// When the first connection after the watched moment was opened, if it found none open then; nullopt:
  /// none.
  std::optional<MonotonicTime> opened_after_watched() const noexcept;

  std::uint32_t pending() const noexcept { return pending_; }
  std::uint32_t open() const noexcept { return open_; }
  bool empty() const noexcept { return pending_ == 0 && open_ == 0; }

 private:
  enum class Watch : std::uint8_t {
    none,       ///< no moment was named
    waiting,    ///< nothing has happened since the watched moment
    was_open,   ///< something has, and at the moment a connection was open
    was_empty,  ///< … none was open
    came_back,  ///< … none was open, and one was opened at reopened_at_
  };

  void judge(MonotonicTime at) noexcept;

  MonotonicTime watched_{};
  MonotonicTime reopened_at_{};
  std::uint32_t pending_ = 0;
  std::uint32_t open_ = 0;
  Watch watch_ = Watch::none;
};

}  // namespace payg::billing
