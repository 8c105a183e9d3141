#include "tests/unit/billing/plugin_rig.h"

#include <cstdlib>
#include <stdexcept>

#include "billing/payments/secrets.h"
#include "plugin/base/address.h"

namespace payg::test {

using namespace billing;

// ---- host

void RecordingHost::end_session(plugin::SessionHandle session, plugin::Denial why) noexcept {
  const std::lock_guard lock(mutex_);
  ended_.emplace(session, std::move(why));
  changed_.notify_all();
}

void RecordingHost::protect_address(const sockaddr* address) {
  const std::lock_guard lock(mutex_);
  protected_port_ = SocketAddress::from(address)->port();
  ++protected_addresses_;
}

void RecordingHost::log(plugin::LogLevel level, std::string_view, std::string_view message) noexcept {
  const std::lock_guard lock(mutex_);
  if (level == plugin::LogLevel::error) complaints_.emplace_back(message);
  if (level == plugin::LogLevel::warning) warnings_.emplace_back(message);
}

std::uint16_t RecordingHost::protected_port() const {
  const std::lock_guard lock(mutex_);
  return protected_port_;
}

std::vector<std::string> RecordingHost::complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

std::vector<std::string> RecordingHost::warnings() const {
  const std::lock_guard lock(mutex_);
  return warnings_;
}

plugin::Denial RecordingHost::wait_for_end(plugin::SessionHandle session) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_.contains(session); });
  return ended_.at(session);
}

bool RecordingHost::was_ended(plugin::SessionHandle session) const {
  const std::lock_guard lock(mutex_);
  return ended_.contains(session);
}

std::size_t RecordingHost::protected_addresses() const {
  const std::lock_guard lock(mutex_);
  return protected_addresses_;
}

// ---- rig

PluginRig::PluginRig(const std::string& pricing, const std::string& ledger_url)
    : url_(ledger_url.empty() ? "sqlite:" + folder_.path() + "/payg.db" : ledger_url) {
  setenv("PAYG_RIG_OPERATOR_TOKEN", operator_token, 1);
  const auto errors = plugin.start(source(pricing));
  if (!errors.empty()) throw std::runtime_error(errors.front());
  const auto factory = open_ledger(url_);
  ledger_ = (*factory)();
}

PluginRig::~PluginRig() {
  plugin.interrupt();
  plugin.stop();
}

plugin::ConfigurationSource PluginRig::source(const std::string& pricing) const {
  return {.path = "test.toml",
          .text =
              "[[listener]]\naddress = \"127.0.0.1:0\"\nprotocols = [\"http\"]\n"
              "[[plugin]]\nname = \"billing\"\nmodule = \"billing.so\"\n"
              "[billing]\nledger = \"" +
              url_ + "\"\nspool = \"" + folder_.path() +
              "/spool\"\nnode = \"node-1\"\n[billing.admin]\naddress = \"127.0.0.1:0\"\n"
              "operator_token_env = \"PAYG_RIG_OPERATOR_TOKEN\"\n" +
              (pricing.empty() ? "" : "[billing.pricing]\n" + pricing),
          .table = "billing"};
}

Said<plugin::Authentication> PluginRig::authenticate(std::string_view name, std::string_view token) {
  Waiter<plugin::Authentication> waiter;
  plugin.authenticate({.connection = {++connections_},
                       .protocol = plugin::Protocol::http_connect,
                       .client = nullptr,
                       .has_credentials = true,
                       .name = name,
                       .password = token},
                      waiter.answer());
  return waiter.wait();
}

Said<plugin::Authentication> PluginRig::authenticate_without_credentials() {
  Waiter<plugin::Authentication> waiter;
  plugin.authenticate({.connection = {++connections_},
                       .protocol = plugin::Protocol::http_connect,
                       .client = nullptr,
                       .has_credentials = false,
                       .name = {},
                       .password = {}},
                      waiter.answer());
  return waiter.wait();
}

Said<plugin::Authentication> PluginRig::authenticate_from(const std::string& address, std::string_view name,
                                                          std::string_view token) {
  sockaddr_storage client{};
  SocketAddress(IpAddress::parse(address).value(), 4711).to(client);
  Waiter<plugin::Authentication> waiter;
  plugin.authenticate({.connection = {++connections_},
                       .protocol = plugin::Protocol::http_connect,
                       .client = reinterpret_cast<const sockaddr*>(&client),
                       .has_credentials = !name.empty(),
                       .name = name,
                       .password = token},
                      waiter.answer());
  return waiter.wait();
}

Said<plugin::Admission> PluginRig::admit(const Client& client) {
  Waiter<plugin::Admission> waiter;
  plugin.admit({.connection = client.id,
                .protocol = plugin::Protocol::http_connect,
                .identity = *client.identity,
                .target_host = "example.com",
                .target_port = 443,
                .attached = client.admission.session},
               waiter.answer());
  return waiter.wait();
}

Client PluginRig::identify(std::string_view name, std::string_view token) {
  return client_of(authenticate(name, token));
}

Client PluginRig::client_of(Said<plugin::Authentication> said) {
  if (!said.ok()) throw std::runtime_error("not authenticated: " + said.denial.detail);
  return {.id = {connections_}, .identity = std::move(said.verdict->identity), .admission = {}};
}

Client PluginRig::connect(std::string_view name, std::string_view token) {
  Client client = identify(name, token);
  auto said = admit(client);
  if (!said.ok()) throw std::runtime_error("not admitted: " + said.denial.detail);
  client.admission = std::move(*said.verdict);
  establish(client);
  return client;
}

void PluginRig::establish(const Client& client) {
  plugin.on_established({.connection = client.id, .session = client.admission.session, .exit = "direct"});
}

void PluginRig::close(const Client& client) {
  plugin.on_closed({.connection = client.id, .session = client.admission.session, .exit = "direct"});
}

void PluginRig::fail_dial(const Client& client) {
  plugin.on_closed({.connection = client.id, .session = client.admission.session, .exit = {}});
}

User PluginRig::add_user(const std::string& name, const std::string& token, std::string_view credits) {
  const auto user = ledger_->create_user(name, "", hash_token(token), now());
  if (!user) throw std::runtime_error(user.error().message);
  if (*Credits::parse(credits) > Credits{}) add_credits(user->id, credits);
  return *user;
}

void PluginRig::add_credits(UserId user, std::string_view credits) {
  const auto added =
      ledger_->adjust(user, *Credits::parse(credits), "test-" + std::to_string(++references_), "test", now());
  if (!added) throw std::runtime_error(added.error().message);
}

}  // namespace payg::test
