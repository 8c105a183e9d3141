#include "billing/core/admission.h"

namespace payg::billing {

StartVerdict may_start(Credits balance, std::optional<WallTime> last_session_end, const StartTerms& terms,
                       WallTime now) noexcept {
  if (balance <= Credits{}) return StartVerdict::payment_required;
  if (balance >= terms.minimum_to_start) return StartVerdict::may_start;
  const bool comes_back = last_session_end && now - *last_session_end <= terms.resume_window;
  return comes_back ? StartVerdict::may_start : StartVerdict::payment_required;
}

}  // namespace payg::billing
