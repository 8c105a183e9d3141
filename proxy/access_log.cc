#include "proxy/access_log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <nlohmann/json.hpp>

#include "plugin/base/text.h"
#include "plugin/base/time_text.h"

namespace payg::proxy {
namespace {

std::string_view name_of(plugin::Protocol protocol) {
  switch (protocol) {
    case plugin::Protocol::http_connect: return "connect";
    case plugin::Protocol::http_forward: return "forward";
    case plugin::Protocol::socks5: return "socks5";
    case plugin::Protocol::socks5_udp: return "socks5_udp";
  }
  return "";
}

spdlog::sink_ptr sink_for(const std::string& path) {
  if (path == "-") return std::make_shared<spdlog::sinks::stdout_sink_mt>();
  return std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
}

nlohmann::ordered_json text_or_null(std::string_view text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

}  // namespace

std::string_view name_of(ConnectionEnd end) noexcept {
  switch (end) {
    case ConnectionEnd::client_closed: return "client_closed";
    case ConnectionEnd::target_closed: return "target_closed";
    case ConnectionEnd::client_reset: return "client_reset";
    case ConnectionEnd::target_reset: return "target_reset";
    case ConnectionEnd::answered: return "answered";
    case ConnectionEnd::idle_timeout: return "idle_timeout";
    case ConnectionEnd::handshake_timeout: return "handshake_timeout";
    case ConnectionEnd::cut: return "cut";
    case ConnectionEnd::stopped: return "stopped";
    case ConnectionEnd::failed: return "failed";
  }
  return "failed";
}

std::string to_json(const AccessRecord& record) {
  nlohmann::ordered_json line;
  line["time"] = time_text(record.ended_at);
  line["connection"] = to_hex(record.connection.value);
  line["client"] = record.client.to_string();
  line["protocol"] = text_or_null(record.protocol ? name_of(*record.protocol) : std::string_view());
  line["user"] = text_or_null(record.user);
  line["session"] = text_or_null(record.session == 0 ? std::string() : to_hex(record.session));
  line["exit"] = text_or_null(record.exit);
  line["target"] = text_or_null(record.target);
  line["requests"] = record.requests;
  line["bytes_up"] = record.up_bytes;
  line["bytes_down"] = record.down_bytes;
  line["duration_ms"] = record.duration.count();
  line["end"] = name_of(record.end);
  line["refusal"] = text_or_null(record.refusal);
  // What is no UTF-8 cannot come from a checked name; were it so, the log goes on.
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

AccessLog::~AccessLog() {
  end(std::move(in_force_));
}

/// Waits until all that waits is written: the thread ends before what it writes with is gone.
void AccessLog::end(Output output) {
  output.pool.reset();
  output.logger.reset();
}

std::string AccessLog::open(const std::string& path) {
  Output fresh;
  if (!path.empty()) {
    try {
      fresh.pool = std::make_shared<spdlog::details::thread_pool>(most_waiting, 1);
      fresh.logger = std::make_shared<spdlog::async_logger>("access", sink_for(path), fresh.pool,
                                                            spdlog::async_overflow_policy::overrun_oldest);
    } catch (const spdlog::spdlog_ex& error) {
      return error.what();
    }
    fresh.logger->set_pattern("%v");
    fresh.logger->set_level(spdlog::level::info);
    fresh.logger->flush_on(spdlog::level::info);
  }
  {
    const std::lock_guard lock(mutex_);
    if (in_force_.pool) dropped_before_ += in_force_.pool->overrun_counter();
    std::swap(in_force_, fresh);
    is_open_ = in_force_.logger != nullptr;
  }
  end(std::move(fresh));
  return "";
}

void AccessLog::write(const AccessRecord& record) noexcept {
  const std::string line = to_json(record);
  const std::lock_guard lock(mutex_);
  if (in_force_.logger) in_force_.logger->info(line);
}

std::uint64_t AccessLog::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_before_ + (in_force_.pool ? in_force_.pool->overrun_counter() : 0);
}

}  // namespace payg::proxy
