#include "tests/support/harness/proxy_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <sstream>

#include "tests/support/harness/patience.h"

namespace payg::test {

namespace {

struct Ports {
  std::vector<SocketAddress> listeners;
  std::optional<SocketAddress> admin;
};

/// Finds "listening on ADDRESS:PORT" in the whole lines of the log.
Ports ports_in(const std::string& log) {
  constexpr std::string_view sign = "listening on ";
  Ports ports;
  std::istringstream lines(log.substr(0, log.rfind('\n') + 1));
  for (std::string line; std::getline(lines, line);) {
    const auto found = line.find(sign);
    if (found == std::string::npos) continue;
    const auto start = found + sign.size();
    const auto address =
        SocketAddress::parse(line.substr(start, line.find_first_of(" ,;\t\r", start) - start));
    if (!address) continue;
    if (line.find("admin listening on ") != std::string::npos) {
      ports.admin = address;
    } else {
      ports.listeners.push_back(*address);
    }
  }
  return ports;
}

ProxyLaunch launch_of(ProxySettings settings) {
  ProxyLaunch launch;
  launch.settings = std::move(settings);
  return launch;
}

bool has_ledger(const std::string& toml) {
  return toml.find("[billing]") != toml.npos;
}

/// Does something whose exceptions are failures of the running test, which a destructor must not throw.
void check(const std::function<void()>& something) {
  try {
    something();
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

}  // namespace

ProxyProcess::ProxyProcess(ProxySettings settings) : ProxyProcess(launch_of(std::move(settings))) {}

ProxyProcess::ProxyProcess(ProxyLaunch launch) : launch_(std::move(launch)) {
  if (launch_.toml.empty()) {
    launch_.toml = launch_.settings.toml(folder_.path());
    launch_.listeners = launch_.settings.listeners.size();
    launch_.admin = launch_.settings.billing ? HasAdmin::yes : HasAdmin::no;
  }
  config_path_ = folder_.write("proxy.toml", launch_.toml);
  rewrite_certificate(TestCertificate::make());
  start_again();
}

ProxyProcess::~ProxyProcess() {
  check([this] {
    if (process_ && process_->running()) {
      terminate();
    } else if (process_ && expectation_ == Expectation::clean_exit) {
      check_end(process_->wait());
    }
  });
  // Whatever became of the process: also of one that was killed, did not end, or was never to be started
  // again.
  if (has_ledger(launch_.toml)) check([this] { expect_clean_books(); });
}

void ProxyProcess::begin_to_start() {
  process_ = std::make_unique<Process>(ProgramCall{
      .arguments = {built("payg-proxy"), "--config", config_path_},
      .environment = {std::string("PAYG_OPERATOR_TOKEN=") + operator_token},
      .working_folder = folder_.path(),
      .open_files = launch_.open_files,
  });
  expectation_ = Expectation::clean_exit;
}

void ProxyProcess::wait_until_it_listens() {
  const bool ready = process_->wait_for_errors([this](const std::string& log) {
    const Ports ports = ports_in(log);
    return ports.listeners.size() >= launch_.listeners && (launch_.admin == HasAdmin::no || ports.admin);
  });
  if (!ready) {
    process_->signal(SIGKILL);
    expectation_ = Expectation::nothing;
    throw HarnessError("payg-proxy did not start to listen (" + to_string(process_->wait()) + "):\n" + log());
  }
  read_addresses();
}

void ProxyProcess::read_addresses() {
  const Ports ports = ports_in(log());
  listeners_ = ports.listeners;
  admin_ = ports.admin.value_or(SocketAddress{});
}

void ProxyProcess::check_end(ExitStatus status) {
  EXPECT_EQ(status, ExitStatus({.code = 0, .signal = 0})) << to_string(status) << "; its log:\n" << log();
  const auto report = sanitizer_report(log());
  EXPECT_FALSE(report) << *report << "\n" << log();
  expectation_ = Expectation::nothing;
}

void ProxyProcess::rewrite_config(const std::string& toml) {
  folder_.write("proxy.toml", toml);
}

void ProxyProcess::rewrite_certificate(const TestCertificate& certificate) {
  folder_.write(certificate_file, certificate.certificate);
  folder_.write(key_file, certificate.key);
}

ExitStatus ProxyProcess::terminate() {
  process_->signal(SIGTERM);
  const ExitStatus status = process_->wait();
  check_end(status);
  return status;
}

void ProxyProcess::kill() {
  process_->signal(SIGKILL);
  process_->wait();
  expectation_ = Expectation::nothing;
  const auto report = sanitizer_report(log());
  EXPECT_FALSE(report) << *report << "\n" << log();
}

void ProxyProcess::start_again() {
  begin_to_start();
  wait_until_it_listens();
}

Finished ProxyProcess::paygctl(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all{built("paygctl"), "--config", config_path_};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program(ProgramCall{.arguments = all,
                                 .environment = {std::string("PAYG_OPERATOR_TOKEN=") + operator_token},
                                 .working_folder = folder_.path(),
                                 .open_files = std::nullopt});
}

void ProxyProcess::expect_clean_books() const {
  const Finished audit = paygctl({"audit"});
  EXPECT_EQ(audit.status.code, 0) << "paygctl audit: " << audit.output << audit.errors;
}

}  // namespace payg::test
