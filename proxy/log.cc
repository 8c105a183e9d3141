#include "proxy/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace payg::proxy {
namespace {

spdlog::level::level_enum to_spdlog(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::debug: return spdlog::level::debug;
    case config::LogLevel::info: return spdlog::level::info;
    case config::LogLevel::warning: return spdlog::level::warn;
    case config::LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::level::level_enum to_spdlog(plugin::LogLevel level) {
  switch (level) {
    case plugin::LogLevel::debug: return spdlog::level::debug;
    case plugin::LogLevel::info: return spdlog::level::info;
    case plugin::LogLevel::warning: return spdlog::level::warn;
    case plugin::LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void start_log(config::LogLevel level) {
  auto logger = spdlog::stderr_logger_mt("payg-proxy");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  set_log_level(level);
}

void set_log_level(config::LogLevel level) {
  spdlog::set_level(to_spdlog(level));
}

void log(plugin::LogLevel level, std::string_view area, std::string_view message) noexcept {
  spdlog::log(to_spdlog(level), "{}: {}", area, message);
}

}  // namespace payg::proxy
