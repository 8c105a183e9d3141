#include "billing/billing_plugin.h"

#include <openssl/rand.h>

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include "billing/admin/admin_server.h"
#include "billing/billing_thread.h"
#include "billing/denials.h"
#include "billing/network_index.h"
#include "billing/node_keeper.h"
#include "billing/reception.h"
#include "billing/spool/left_spools.h"
#include "config/duration.h"

namespace payg::billing {
namespace {

using namespace std::chrono_literals;
using plugin::ConfigurationErrors;
using plugin::ConfigurationSource;
using plugin::LogLevel;

// A record takes some 200 bytes: as many users as a large node serves within a day.
constexpr std::size_t max_remembered_users = 100'000;
// Longer than a database that fails over to its standby within its own limits, shorter than the patience of
// whoever looks on while the program starts.
constexpr auto first_attempt_limit = 15s;
// Enough for two calls, and the pauses between them, that a silent ledger leaves without an answer: the one
// under way, which notices, and the one after it, which may find the standby. Shorter than a supervisor's
// patience, which is 90 s where nobody has set it.
constexpr auto drain_limit = 2 * Ledger::longest_silence + 3s;

// For one that has been superseded, of whom the ledger takes nothing any more: what is owed stays in its
// spool.
constexpr auto superseded_drain_limit = 1s;

static_assert(config::most_sessions_per_user == most_counted_sessions);

Terms terms_of(const config::PricingConfig& pricing) {
  return {.price = pricing.increment_price, .increment = pricing.increment, .rate = pricing.rate};
}

StartTerms start_terms_of(const config::PricingConfig& pricing) {
  return {.minimum_to_start = pricing.minimum_to_start, .resume_window = pricing.resume_window};
}

std::uint64_t random_bits() {
  std::uint64_t bits = 0;
  // Fails only when the kernel gives no entropy at all; ids that repeat would charge one session for another.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&bits), sizeof bits) != 1) std::abort();
  return bits;
}

Result<config::BillingConfig, ConfigurationErrors> read(const ConfigurationSource& source) {
  return config::read_billing_config(source.path, source.text, source.table);
}

std::string complaint(const ConfigurationSource& source, std::string_view key, const std::string& what) {
  return source.path + ": " + source.table + "." + std::string(key) + ": " + what;
}

/// What SIGHUP cannot change.
ConfigurationErrors compare(const ConfigurationSource& source, const config::BillingConfig& now,
                            const config::BillingConfig& next) {
  const std::string advice = "cannot change while the program runs; restart it";
  ConfigurationErrors errors;
  if (now.ledger != next.ledger) errors.push_back(complaint(source, "ledger", advice));
  if (now.spool != next.spool) errors.push_back(complaint(source, "spool", advice));
  if (now.node != next.node) errors.push_back(complaint(source, "node", advice));
  if (now.admin.address != next.admin.address) errors.push_back(complaint(source, "admin.address", advice));
  if (now.admin.socket != next.admin.socket) errors.push_back(complaint(source, "admin.socket", advice));
  if (now.demo != next.demo) errors.push_back(complaint(source, "demo", advice));
  return errors;
}

}  // namespace

/// Everything that runs, in the order in which the parts need each other.
struct BillingPlugin::Node {
  Node(BillingPlugin& plugin, const config::BillingConfig& configuration, const LedgerFactory& factory,
       std::unique_ptr<Spool> spool)
      : config(configuration),
        left_in_spool(spool->charges()),
        health(plugin.host_),
        users(max_remembered_users),
        networks(random_bits()),
        table(configuration.max_sessions, random_bits()),
        biller(table, terms_of(configuration.pricing),
               BillerSettings{.outage_grace = configuration.outage_grace,
                              .lease = configuration.node_lease,
                              .session_limit = configuration.max_sessions_per_user}),
        reader(factory, health),
        reception({plugin.host_.clock(), table, users, networks, reader, health, random_bits(),
                   [this](UserId user, const Cidr& network) { keeper.confirm_network(user, network); }}),
        billing({biller, plugin.host_, health, factory, std::move(spool),
                 [&plugin](const Cut& cut) { plugin.on_cut(cut.session, cut.why); },
                 [&plugin] { plugin.on_superseded(); }}),
        admin_ledger("payg-admin-db", factory, AdminServer::max_waiting_calls),
        report_ledger("payg-report-db", factory, AdminServer::max_waiting_reports),
        keeper(factory,
               {.node = configuration.node,
                .lease = configuration.node_lease,
                .demo = configuration.demo,
                .spooled = std::move(left_in_spool)},
               health, plugin.host_,
               {.on_ready =
                    [this](const NodeRef& self) {
                      billing.begin(self);
                      reception.open();
                    },
                .on_users_changed = [&plugin](const auto& changed) { plugin.on_users_read(changed); },
                .on_networks_read = [this](const auto& lists,
                                           std::int64_t upto) { networks.follow(lists, upto); },
                .on_network_confirmed = [this](const NetworkList& list) { networks.changed_here(list); },
                .on_user_confirmed = [this](const User& user) { users.refresh(user); },
                .on_session_ended = [&plugin](SessionId id) { plugin.on_session_ended_somewhere(id); },
                .on_spool_settled = [this](auto charges) { billing.settle_spooled(std::move(charges)); },
                .on_lease_extended =
                    [this](auto lease) {
                      billing.post([lease](Biller& metered, auto&) { metered.set_lease(lease); });
                    },
                .on_superseded = [&plugin] { plugin.on_superseded(); }}),
        admin({plugin, plugin.host_, admin_ledger, report_ledger, configuration}) {}

  ~Node() { stop(); }

  /// In the reverse order, but for what is still called by what: nothing here is used by a thread any more.
  void stop() {
    admin.stop();
    admin_ledger.stop();
    report_ledger.stop();
    keeper.stop();
    reader.stop();
    billing.stop();
  }

  config::BillingConfig config;
  std::vector<ChargeRequest> left_in_spool;  // by an earlier life of the node
  LedgerHealth health;
  UserCache users;
  NetworkIndex networks;
  SessionTable table;
  Biller biller;
  StandingReader reader;
  Reception reception;
  BillingThread billing;
  LedgerThread admin_ledger, report_ledger;
  std::atomic<bool> is_superseded = false;
  NodeKeeper keeper;
  AdminServer admin;
};

BillingPlugin::BillingPlugin(plugin::Host& host) : host_(host) {}

BillingPlugin::~BillingPlugin() = default;

// ---- life

ConfigurationErrors BillingPlugin::check(const ConfigurationSource& source) {
  const auto config = read(source);
  if (!config) return config.error();
  const auto factory = open_ledger(config->ledger);
  if (!factory) return {complaint(source, "ledger", factory.error())};
  return {};
}

ConfigurationErrors BillingPlugin::start(const ConfigurationSource& source) {
  const auto config = read(source);
  if (!config) return config.error();
  const auto factory = open_ledger(config->ledger);
  if (!factory) return {complaint(source, "ledger", factory.error())};
  auto spool = Spool::open(config->spool, config->node);
  if (!spool) return {complaint(source, "spool", spool.error())};
  if ((*spool)->unreadable_lines() > 0) {
    host_.log(LogLevel::warning, "billing",
              config->spool + ": " + std::to_string((*spool)->unreadable_lines()) +
                  " lines cannot be read: a crash has torn the last write, or the disk is broken; the file "
                  "as it was is " +
                  ((*spool)->damaged_file().empty() ? "lost" : (*spool)->damaged_file()));
  }

  warn_of_left_spools(config->spool);

  pricing_ = std::make_shared<const config::PricingConfig>(config->pricing);
  node_ = std::make_unique<Node>(*this, *config, *factory, *std::move(spool));
  node_->reception.set_terms(start_terms_of(config->pricing));
  node_->reception.set_wrong_tokens_per_minute(config->wrong_tokens_per_minute);
  node_->reception.set_session_limit(config->max_sessions_per_user);
  node_->reception.set_free_targets(config->free_targets);
  node_->keeper.start();
  if (const auto failure = wait_for_ledger(); !failure.empty()) return {complaint(source, "ledger", failure)};
  return start_admin(source);
}

void BillingPlugin::warn_of_left_spools(const std::string& own_path) {
  for (const LeftSpool& left : left_spools(own_path)) {
    host_.log(
        LogLevel::warning, "billing",
        left.path + ": holds " + std::to_string(left.charges) +
            (left.charges == 1 ? " charge of node " : " charges of node ") + left.node + ", " +
            left.price.to_exact_string() +
            " credits, and no process has it. If no process runs by that name any more, here or elsewhere (it"
            " would be put out of service), start one once with node = \"" +
            left.node + "\" and spool = \"" + left.path +
            "\", so that what its sessions owe is charged; if they may be lost, remove the file");
  }
}

std::string BillingPlugin::wait_for_ledger() {
  switch (node_->keeper.wait(first_attempt_limit)) {
    case NodeKeeper::Progress::failed: return node_->keeper.failure();
    case NodeKeeper::Progress::trying:
      host_.log(LogLevel::error, "billing", "the ledger is away: no session can start until it answers");
      break;
    case NodeKeeper::Progress::ready: break;
  }
  return {};
}

ConfigurationErrors BillingPlugin::start_admin(const ConfigurationSource& source) {
  const auto address = node_->admin.start();
  if (!address) return {complaint(source, "admin." + address.error().key, address.error().what)};
  node_->reception.set_shop_url("http://" + address->to_string() + "/api/credits/packages");
  return {};
}

ConfigurationErrors BillingPlugin::reload(const ConfigurationSource& source) {
  const auto config = read(source);
  if (!config) return config.error();
  if (auto errors = compare(source, node_->config, *config); !errors.empty()) return errors;
  apply(*config);
  return {};
}

void BillingPlugin::apply(const config::BillingConfig& config) {
  node_->config = config;
  node_->reception.set_terms(start_terms_of(config.pricing));
  node_->reception.set_wrong_tokens_per_minute(config.wrong_tokens_per_minute);
  node_->reception.set_session_limit(config.max_sessions_per_user);
  node_->reception.set_free_targets(config.free_targets);
  node_->table.set_max_sessions(config.max_sessions);
  if (const auto in_force = node_->keeper.set_lease(config.node_lease); in_force != config.node_lease)
    host_.log(LogLevel::info, "billing",
              "node_lease stays at " + config::format_duration(in_force) +
                  " until the next start: what was "
                  "bought under the longer one may still be running");
  node_->billing.post([terms = terms_of(config.pricing), grace = config.outage_grace,
                       limit = config.max_sessions_per_user](Biller& biller, auto&) {
    biller.set_terms(terms);
    biller.set_outage_grace(grace);
    biller.set_session_limit(limit);
  });
  {
    const std::lock_guard lock(mutex_);
    pricing_ = std::make_shared<const config::PricingConfig>(config.pricing);
  }
  node_->admin.reload(config);
}

void BillingPlugin::interrupt() noexcept {
  node_->reception.close();
}

void BillingPlugin::stop() noexcept {
  if (!node_) return;
  // First, because a call of the admin port that is running may take minutes: an audit does.
  const auto left = node_->billing.drain(node_->is_superseded ? superseded_drain_limit : drain_limit);
  if (left != 0U) {
    host_.log(LogLevel::error, "billing",
              (left ? std::to_string(*left) + " sessions" : std::string("the sessions")) +
                  " could not be settled: the ledger is away, or somebody else has their users locked, or is"
                  " the node now; the next start by this spool of node " +
                  node_->config.node + " settles them");
  }
  node_->stop();
}

// ---- the proxy's calls

void BillingPlugin::authenticate(const plugin::AuthenticationRequest& request,
                                 plugin::AuthenticationAnswer answer) noexcept {
  node_->reception.authenticate(request, std::move(answer));
}

void BillingPlugin::admit(const plugin::AdmissionRequest& request, plugin::AdmissionAnswer answer) noexcept {
  node_->reception.admit(request, std::move(answer));
}

void BillingPlugin::on_established(const plugin::Attachment& attachment) noexcept {
  const MonotonicTime at = host_.clock().now();
  switch (node_->table.opened(attachment.session, attachment.exit, at)) {
    case SessionTable::Opened::first:
      node_->billing.post(
          [session = attachment.session, at](Biller& biller, auto&) { biller.start(session, at); });
      break;
    case SessionTable::Opened::too_late:
      // Admitted before the session was cut, by an answer that was still on its way when the cut was told.
      host_.end_session(attachment.session, denials::for_end(EndReason::requested, {}));
      break;
    case SessionTable::Opened::another: break;
  }
}

void BillingPlugin::on_closed(const plugin::Attachment& attachment) noexcept {
  const bool was_established = !attachment.exit.empty();
  if (was_established) {
    node_->table.closed(attachment.session, host_.clock().now());
  } else {
    node_->table.abandoned(attachment.session);
  }
}

// ---- what the billing thread and the keeper have to say

void BillingPlugin::on_cut(plugin::SessionHandle session, EndReason why) {
  host_.end_session(session, denials::for_end(why, node_->reception.shop_url()));
}

void BillingPlugin::on_users_read(const std::vector<User>& users) {
  for (const User& user : users) {
    node_->users.refresh(user);
    node_->reception.user_changed(user.name);
  }
  end_sessions_of_disabled(users);
}

void BillingPlugin::on_session_ended_somewhere(SessionId session) {
  end(session, EndReason::requested);
}

void BillingPlugin::on_superseded() {
  node_->is_superseded = true;
  node_->reception.close();
  node_->billing.post([](Biller& biller, const Moment& now) { biller.end_all(EndReason::node_lost, now); });
}

void BillingPlugin::end_sessions_of_disabled(std::span<const User> users) {
  std::vector<UserId> disabled;
  for (const User& user : users)
    if (user.state == UserState::disabled) disabled.push_back(user.id);
  node_->billing.end_users(std::move(disabled), EndReason::disabled);
}

// ---- Metering

std::optional<LiveSession> BillingPlugin::find(SessionId session) const {
  return node_->table.find(session);
}

bool BillingPlugin::end(SessionId session, EndReason why) {
  if (!node_->table.is_live(session)) return false;
  node_->billing.post([session, why](Biller& biller, const Moment& now) { biller.end(session, why, now); });
  return true;
}

void BillingPlugin::user_changed(const User& user) {
  node_->users.refresh(user);
  node_->reception.user_changed(user.name);
  end_sessions_of_disabled({&user, 1});
}

void BillingPlugin::networks_changed(const NetworkList& list) {
  node_->networks.changed_here(list);
}

std::shared_ptr<const config::PricingConfig> BillingPlugin::pricing() const {
  const std::lock_guard lock(mutex_);
  return pricing_;
}

LedgerState BillingPlugin::ledger_state() const {
  return node_->health.state();
}

bool BillingPlugin::is_in_service() const {
  return !node_->reception.is_closed();
}

MeteringCounters BillingPlugin::counters() const {
  MeteringCounters counters = node_->billing.counters();
  counters.charge_wait = node_->health.charge_wait();
  counters.reception = node_->reception.counters();
  return counters;
}

}  // namespace payg::billing
