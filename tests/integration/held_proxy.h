#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "proxy/worker.h"
#include "tests/integration/plain_proxy.h"
#include "tests/support/fake_clock.h"

namespace payg::test {

/// Admits everybody, all of them into one session but for those who want `free_host`: into another, that is
/// never bounded. Thread-safe.
class PermittingPlugin final : public plugin::Plugin {
 public:
  static constexpr plugin::SessionHandle session{7};
  static constexpr plugin::SessionHandle free_session{8};
  static constexpr std::string_view free_host = "127.0.0.2";

  /// Of `session`. What the worker counts and the plugin bounds.
  plugin::SessionTraffic traffic;
  std::atomic<bool> denies{false};     ///< everybody who asks to be admitted
  std::atomic<std::uint64_t> user{0};  ///< who everybody is
  std::atomic<int> established{0};
  std::atomic<int> closed{0};  ///< of `session`

  plugin::ConfigurationErrors start(const plugin::ConfigurationSource&) override { return {}; }
  plugin::ConfigurationErrors reload(const plugin::ConfigurationSource&) override { return {}; }
  void interrupt() noexcept override {}
  void stop() noexcept override {}
  void authenticate(const plugin::AuthenticationRequest&,
                    plugin::AuthenticationAnswer answer) noexcept override {
    auto identity = std::make_unique<plugin::Identity>();
    identity->user = user;
    answer.accept({std::move(identity)});
  }
  void admit(const plugin::AdmissionRequest& request, plugin::AdmissionAnswer answer) noexcept override;
  void on_established(const plugin::Attachment& attachment) noexcept override {
    if (attachment.session == session) ++established;
  }
  void on_closed(const plugin::Attachment& attachment) noexcept override {
    if (attachment.session == session) ++closed;
  }

 private:
  plugin::SessionTraffic free_traffic_;
};

/// One worker of the proxy with a chain of two such plugins, on a clock that the test moves.
class HeldProxy {
 public:
  explicit HeldProxy(std::uint64_t bytes_per_second_of_a_user = 0, Transport transport = Transport::plain);
  ~HeldProxy();
  HeldProxy(const HeldProxy&) = delete;
  HeldProxy& operator=(const HeldProxy&) = delete;

  RawClient connect() const { return RawClient(address_, transport_); }
  /// A tunnel to `origin`, by CONNECT or by SOCKS5.
  RawClient tunnel(const Origin& origin) const;
  RawClient socks_tunnel(const Origin& origin) const;

  FakeClock& clock() { return clock_; }
  PermittingPlugin& plugin() { return plugins_[0]; }
  PermittingPlugin& second_plugin() { return plugins_[1]; }

  /// No byte of the session from now on, and bytes without bound again.
  void forbid() { plugin().traffic.relay_until = clock_.now() - std::chrono::nanoseconds(1); }
  void permit() { plugin().traffic.relay_until = MonotonicTime::max(); }
  void end_session() {
    worker_->end_session(0, PermittingPlugin::session,
                         {.reason = plugin::Reason::payment_required, .detail = "over", .url = {}});
  }

  /// How often a connection was held.
  std::uint64_t holds() const { return worker_->counters().holds_total; }
  std::uint64_t held() const { return worker_->counters().connections_held; }
  /// True when exactly so many connections are held, sooner or later.
  [[nodiscard]] bool comes_to_hold(std::uint64_t count) const {
    return eventually([&] { return held() == count; });
  }
  std::uint64_t bytes() const { return plugins_[0].traffic.up_bytes + plugins_[0].traffic.down_bytes; }

 private:
  const Transport transport_;
  FakeClock clock_;
  proxy::Settings settings_{.idle_timeout = std::chrono::minutes(5),
                            .handshake_timeout = std::chrono::minutes(5),
                            .connect_timeout = std::chrono::minutes(5),
                            .pseudonym = "test"};
  std::shared_ptr<const proxy::ExitTable> exits_;
  proxy::Guard guard_;
  plugin::PluginChain chain_;
  proxy::UserLimits user_limits_;
  proxy::ClientAddressLimits client_addresses_{0};
  proxy::ConnectionLimit connection_limit_{1000};
  proxy::AccessLog access_log_;
  std::vector<std::string> nameservers_{"127.0.0.1"};
  SocketAddress address_;
  std::unique_ptr<proxy::Worker> worker_;  // outlives the plugins
  std::array<PermittingPlugin, 2> plugins_;
};

}  // namespace payg::test
