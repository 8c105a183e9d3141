#include "tests/unit/admin/admin_port.h"

#include <cstdlib>
#include <stdexcept>

#include "billing/payments/secrets.h"

namespace payg::test {

using billing::Credits;

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "payg-admin-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string bearer(const std::string& token) {
  return "Authorization: Bearer " + token;
}

config::BillingConfig usual_config() {
  config::BillingConfig config;
  config.pricing.increment_price = config.pricing.rate.price_of(config.pricing.increment).value();
  const auto package = [](const char* price, const char* credits) {
    return config::PackageConfig{.price = Credits::parse(price).value(),
                                 .credits = Credits::parse(credits).value()};
  };
  config.pricing.packages = {package("10", "10"), package("25", "27"), package("50", "57")};
  config.admin.address = "127.0.0.1:0";
  config.admin.operator_token = operator_token;
  config.simulated_payments = true;
  return config;
}

void AdminPort::SetUp() {
  config::BillingConfig config = usual_config();
  configure(config);
  metering.prices = std::make_shared<config::PricingConfig>(config.pricing);
  auto factory = billing::open_ledger(ledger_url());
  ASSERT_TRUE(factory.ok()) << factory.error();
  ledger = (*factory)();
  const auto made_by = factory_of(*factory);
  ledger_thread = std::make_unique<billing::LedgerThread>("ledger-admin", made_by, queue_limit());
  report_thread = std::make_unique<billing::LedgerThread>("ledger-reports", made_by, queue_limit());
  server = std::make_unique<billing::AdminServer>(dependencies(config));
  const auto migrated = ledger->migrate();
  if (ledger_url() == AdminPort::ledger_url()) {
    ASSERT_TRUE(migrated.ok()) << migrated.error().message;
  }
  const auto bound = server->start();
  ASSERT_TRUE(bound.ok()) << bound.error().what;
  port = bound->port();
}

void AdminPort::TearDown() {
  if (server) server->stop();
  if (ledger_thread) ledger_thread->stop();
  if (report_thread) report_thread->stop();
}

billing::AdminDependencies AdminPort::dependencies(const config::BillingConfig& config) {
  return {.metering = metering,
          .host = host,
          .ledger = *ledger_thread,
          .reports = *report_thread,
          .config = config};
}

std::string AdminPort::ledger_url() const {
  return "sqlite:" + (folder.path() / "payg.db").string();
}

billing::User AdminPort::add_user(const std::string& name) {
  const auto user =
      ledger->create_user(name, "", billing::hash_token(name + "-token"), host.standing_clock.wall_now());
  if (!user.ok()) throw std::runtime_error(user.error().message);
  return *user;
}

void AdminPort::give(const billing::User& user, const std::string& credits) {
  const auto given = ledger->adjust(user.id, Credits::parse(credits).value(), billing::random_name(), "given",
                                    host.standing_clock.wall_now());
  if (!given.ok()) throw std::runtime_error(given.error().message);
}

std::string AdminPort::balance_of(const billing::User& user) {
  return ledger->balance(user.id).value().to_exact_string();
}

billing::SessionId AdminPort::start_session(const billing::User& user, std::uint64_t id,
                                            const std::string& label) {
  const billing::ChargeRequest charge{.user = user.id,
                                      .session = {id},
                                      .number = 1,
                                      .price = metering.prices->increment_price,
                                      .increment = metering.prices->increment,
                                      .rate = metering.prices->rate,
                                      .from = host.standing_clock.wall_now(),
                                      .label = label,
                                      .exit = "direct"};
  const auto results = ledger->charge(
      {"node-1", ledger->start_node("node-1", std::chrono::hours(1), charge.from)->life}, {&charge, 1});
  if (!results.ok()) throw std::runtime_error(results.error().message);
  EXPECT_EQ(results->at(0).outcome, billing::ChargeResult::Outcome::granted);
  return {id};
}

Answer AdminPort::get(const std::string& path, const std::string& token) {
  return ask({.path = path, .headers = {bearer(token)}});
}

Answer AdminPort::post(const std::string& path, const std::string& token, const std::string& body) {
  return ask({.method = "POST", .path = path, .headers = {bearer(token)}, .body = body});
}

std::uint64_t AdminPort::rows_of(const billing::User& user) {
  return ledger->transactions(user.id, {}, std::nullopt, 10'000).value().size();
}

}  // namespace payg::test
