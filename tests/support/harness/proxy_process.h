#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin/base/address.h"
#include "tests/support/harness/admin_client.h"
#include "tests/support/harness/process.h"
#include "tests/support/harness/proxy_settings.h"
#include "tests/support/harness/stream.h"
#include "tests/support/harness/temp_folder.h"

namespace payg::test {

enum class HasAdmin { no, yes };

/// What a ProxyProcess is started with: settings, or a whole file.
struct ProxyLaunch {
  std::string toml{};  ///< empty: `settings` written out
  ProxySettings settings{};
  std::optional<rlim_t> open_files{};
  /// With `toml`: how many listeners it has, and whether it has an admin port.
  std::size_t listeners = 1;
  HasAdmin admin = HasAdmin::no;
};

/// The real payg-proxy, running on a configuration of its own in a folder of its own, which is also its
/// working folder. When it goes out of scope it is stopped in an orderly way; a crash, an exit code other
/// than 0, a sanitizer's report or books that `paygctl audit` does not find right fail the running test. The
/// books are looked into however the process ended, on whatever ledger, so a test that stops its database
/// starts it again.
class ProxyProcess {
 public:
  /// Returns when every listener (and the admin port) listens; throws HarnessError with what the proxy wrote
  /// when that does not happen.
  explicit ProxyProcess(ProxySettings settings = {});
  explicit ProxyProcess(ProxyLaunch launch);
  ~ProxyProcess();

  /// Of the first listener, or of another.
  SocketAddress address(std::size_t listener = 0) const { return listeners_.at(listener); }
  const SocketAddress& admin_address() const { return admin_; }
  /// To a listener as its clients do: by TLS where the settings say so.
  RawClient connect(std::size_t listener = 0) const {
    return RawClient(address(listener), settings().transport_of(listener));
  }
  RawClient connect(ReceiveBuffer buffer) const {
    return RawClient(address(), settings().transport_of(0), buffer);
  }
  /// The admin port with the operator's token.
  AdminClient operator_client() const { return AdminClient(admin_, operator_token); }
  AdminClient user_client(const std::string& token) const { return AdminClient(admin_, token); }

  Process& process() { return *process_; }
  std::string log() const { return process_->errors(); }
  const std::string& folder() const { return folder_.path(); }
  const std::string& config_path() const { return config_path_; }
  const ProxySettings& settings() const { return launch_.settings; }

  /// Replaces the configuration file; the proxy reads it when it gets SIGHUP.
  void rewrite_config(const std::string& toml);
  /// The same for what TLS listeners show.
  void rewrite_certificate(const TestCertificate& certificate);
  /// SIGTERM, and the exit code that follows it.
  ExitStatus terminate();
  /// SIGKILL. Nothing is expected of it any more but that no sanitizer had complained; start_again() may
  /// follow.
  void kill();
  /// Starts it on the same configuration and the same ledger, after terminate() or kill().
  void start_again();
  /// The first half of start_again(): does not wait until it listens. Only kill() may follow.
  void begin_to_start();

  /// `paygctl --config <its file> ARGUMENTS…`
  Finished paygctl(const std::vector<std::string>& arguments) const;
  /// Fails the running test unless the books are right.
  void expect_clean_books() const;

 private:
  enum class Expectation { clean_exit, nothing };
  void wait_until_it_listens();
  void read_addresses();
  void check_end(ExitStatus status);

  ProxyLaunch launch_;
  TempFolder folder_;
  std::string config_path_;
  std::unique_ptr<Process> process_;
  std::vector<SocketAddress> listeners_;
  SocketAddress admin_;
  Expectation expectation_ = Expectation::clean_exit;
};

}  // namespace payg::test
