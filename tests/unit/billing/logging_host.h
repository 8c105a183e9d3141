#pragma once

#include <string>
#include <vector>

#include "plugin/api/plugin.h"
#include "tests/support/fake_clock.h"

namespace payg::test {

/// A host under a simulated clock that keeps what is logged. For one thread that logs.
class LoggingHost final : public plugin::Host {
 public:
  void end_session(plugin::SessionHandle, plugin::Denial) noexcept override {}
  void protect_address(const sockaddr*) override {}
  const Clock& clock() const noexcept override { return fake_clock; }
  void log(plugin::LogLevel, std::string_view, std::string_view message) noexcept override {
    lines.emplace_back(message);
  }
  std::vector<plugin::Metric> metrics() const override { return {}; }
  std::vector<plugin::ExitReport> exits() const override { return {}; }

  FakeClock fake_clock;
  std::vector<std::string> lines;
};

}  // namespace payg::test
