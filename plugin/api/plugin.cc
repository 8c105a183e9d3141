#include "plugin/api/plugin.h"

namespace payg::plugin {

std::string_view name_of(Reason reason) noexcept {
  switch (reason) {
    case Reason::bad_credentials: return "bad_credentials";
    case Reason::payment_required: return "payment_required";
    case Reason::forbidden: return "forbidden";
    case Reason::bad_request: return "bad_request";
    case Reason::too_many: return "too_many";
    case Reason::unavailable: return "unavailable";
  }
  return "unknown";
}

}  // namespace payg::plugin
