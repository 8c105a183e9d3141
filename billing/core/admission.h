#pragma once

#include <chrono>
#include <optional>

#include "billing/core/credits.h"
#include "plugin/base/clock.h"

namespace payg::billing {

/// What it takes to start a session.
struct StartTerms {
  Credits minimum_to_start;
  std::chrono::milliseconds resume_window{0};
};

enum class StartVerdict { may_start, payment_required };

/// Rule 2 of the metering rule: starting needs the minimum; coming back within the resume window of the
/// user's last session's end needs only a balance above zero. Nobody starts on nothing, whatever the minimum
/// is. The window is measured by the wall clock because the end may have been written by another node; a
/// clock that was set back counts as being within it.
StartVerdict may_start(Credits balance, std::optional<WallTime> last_session_end, const StartTerms& terms,
                       WallTime now) noexcept;

}  // namespace payg::billing
