#pragma once

#include <string>

#include "plugin/base/clock.h"

namespace payg {

/// RFC 3339 in UTC with milliseconds: "2026-11-22T13:21:19.123Z".
std::string time_text(WallTime time);

}  // namespace payg
