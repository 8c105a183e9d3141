#pragma once

#include <string_view>

#include "config/proxy_config.h"
#include "plugin/api/plugin.h"

namespace payg::proxy {

/// The process's log: one line an event, to standard error. Thread-safe.
void start_log(config::LogLevel level);
void set_log_level(config::LogLevel level);
void log(plugin::LogLevel level, std::string_view area, std::string_view message) noexcept;

}  // namespace payg::proxy
