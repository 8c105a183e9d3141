#include "config/billing_config.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "billing/core/node_lease.h"
#include "config/duration.h"
#include "config/toml_table.h"
#include "plugin/base/address.h"

namespace payg::config {
namespace {

using billing::Credits;
using billing::Rate;

constexpr std::string_view expected_amount = R"(an amount in quotes, as in "0.80")";
constexpr std::chrono::milliseconds shortest_increment{100};
constexpr std::size_t shortest_public_token = 16;

// ---- what a string must look like

std::string check_user(std::string_view text) {
  const bool upper = std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!upper && is_name(text, "_.", 64)) return "";
  return in_quotes(text) + " is no user name, expected 1 to 64 lower-case letters, digits, '_' or '.'";
}

std::string check_node(std::string_view text) {
  if (is_name(text, "_.-", 64)) return "";
  return in_quotes(text) + " is no name of a node, expected 1 to 64 letters, digits, '_', '.' or '-'";
}

std::string check_file(std::string_view text) {
  const bool is_file = !text.empty() && text.back() != '/' && text.find('\0') == std::string_view::npos;
  return is_file ? "" : in_quotes(text) + " is no name of a file";
}

/// As long as the name of a socket may be (unix(7)).
std::string check_socket(std::string_view text) {
  constexpr std::size_t longest = 107;
  if (auto mistake = check_file(text); !mistake.empty()) return mistake;
  return text.size() <= longest ? ""
                                : in_quotes(text) + " is too long for a socket, expected at most 107 bytes";
}

std::string check_currency(std::string_view text) {
  const bool code =
      text.size() == 3 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return code ? "" : in_quotes(text) + R"( is no currency, expected three capital letters such as "USD")";
}

std::string check_address(std::string_view text) {
  if (SocketAddress::parse(text)) return "";
  return in_quotes(text) +
         R"( is no address and port, expected one such as "127.0.0.1:8082" or "[::1]:8082")";
}

/// Says nothing of the token itself, which is nobody's business but its owner's.
std::string check_token(std::string_view text) {
  const bool token = !text.empty() && text.size() <= 256 &&
                     std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return token ? "" : "is no token, expected 1 to 256 printable ASCII characters without blanks";
}

/// The operator's, where anybody may try to guess it.
std::string check_public_token(std::string_view text) {
  if (auto mistake = check_token(text); !mistake.empty()) return mistake;
  return text.size() >= shortest_public_token
             ? ""
             : "is too short for an admin port that is not on a loopback address, expected at least " +
                   std::to_string(shortest_public_token) + " characters";
}

// ---- [billing] itself

bool has_password(std::string_view url) {
  const auto authority = url.substr(url.find("://") + 3);
  const auto user = authority.substr(0, authority.find_first_of("/?"));
  const auto at = user.rfind('@');
  if (at != user.npos && user.substr(0, at).find(':') != user.npos) return true;
  return url.find("?password=") != url.npos || url.find("&password=") != url.npos;
}

bool is_postgresql(std::string_view url) {
  return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

/// Never echoes the URL: it may hold a password.
std::string check_ledger(std::string_view url) {
  if (is_postgresql(url)) return "";
  constexpr std::string_view sqlite = "sqlite:";
  if (url == "sqlite::memory:") return "a ledger in memory would be lost, expected \"sqlite:PATH\"";
  if (url.starts_with(sqlite) && url.size() > sqlite.size()) return "";
  return R"(is no ledger, expected "sqlite:PATH" or "postgresql://…")";
}

void read_ledger(TomlTable& table, std::string& ledger) {
  const Node* plain = table.read_text("ledger", ledger, check_ledger);
  if (plain && is_postgresql(plain->text) && has_password(plain->text)) {
    table.refuse(*plain, "ledger",
                 "holds a password, expected it in a file that PGPASSFILE names, or the whole URL in "
                 "ledger_env or ledger_file");
  }
  std::string secret;
  const Node* source = table.read_secret("ledger", secret, IfUnset::refuse, check_ledger);
  if (source && plain)
    table.refuse(*source, "ledger", "is given twice, expected one of ledger, ledger_env, ledger_file");
  if (source) ledger = std::move(secret);
}

// ---- [billing.pricing]

std::optional<Credits> read_credits(TomlTable& table, std::string_view key) {
  std::string text;
  const Node* value = table.read_amount(key, text, expected_amount);
  if (!value) return std::nullopt;
  const auto amount = Credits::parse(text);
  if (!amount) {
    table.refuse(*value, key,
                 in_quotes(text) + R"( is no exact amount of credits, expected one such as "0.80")");
  } else if (*amount < Credits()) {
    table.refuse(*value, key, in_quotes(text) + " is below zero, expected an amount of at least \"0\"");
    return std::nullopt;
  }
  return amount;
}

void read_rate(TomlTable& table, Rate& rate) {
  std::string text;
  const Node* value = table.read_amount("rate_per_hour", text, expected_amount);
  if (!value) return;
  if (const auto parsed = Rate::parse(text)) {
    rate = *parsed;
    return;
  }
  table.refuse(*value, "rate_per_hour",
               in_quotes(text) +
                   R"( is no exact rate, expected credits per hour above 0, at most 1000000, with at most )"
                   R"(three decimals, as in "0.80")");
}

std::string shown(Rate rate) {
  std::string digits = std::to_string(rate.thousandths() % 1000);
  digits.insert(0, 3 - digits.size(), '0');
  return std::to_string(rate.thousandths() / 1000) + "." + digits;
}

/// The multiples of this length have an exact price.
std::chrono::milliseconds exact_step(Rate rate) {
  return std::chrono::milliseconds(1000 / std::gcd(rate.thousandths(), std::int64_t{1000}));
}

void price_increment(TomlTable& table, PricingConfig& pricing) {
  if (const auto price = pricing.rate.price_of(pricing.increment)) {
    pricing.increment_price = *price;
    return;
  }
  const Entry* increment = table.node().find("increment");
  const Entry* rate = table.node().find("rate_per_hour");
  const std::string_view key = increment ? "increment" : "rate_per_hour";
  const std::string what =
      format_duration(pricing.increment) + " at " + shown(pricing.rate) + " credits per hour ";
  table.refuse(increment ? increment->value
               : rate    ? rate->value
                         : table.node(),
               key,
               what + "has no exact price, expected an increment that is a multiple of " +
                   format_duration(exact_step(pricing.rate)));
}

std::optional<PackageConfig> read_package(TomlTable& table) {
  table.require("price", "an amount, as in \"25\"");
  table.require("credits", "an amount of at least the price, as in \"27\"");
  const auto price = read_credits(table, "price");
  const auto credits = read_credits(table, "credits");
  table.refuse_unknown();
  if (price && *price == Credits()) {
    table.refuse(table.node().find("price")->value, "price", "is zero, expected an amount above zero");
    return std::nullopt;
  }
  if (!price || !credits) return std::nullopt;
  if (*credits < *price) {
    table.refuse(table.node().find("credits")->value, "credits",
                 in_quotes(credits->to_exact_string()) + " is less than the price, expected at least " +
                     in_quotes(price->to_exact_string()));
  }
  return PackageConfig{.price = *price, .credits = *credits};
}

std::vector<PackageConfig> default_packages() {
  const auto whole = [](std::int64_t credits) {
    return Credits::from_units(credits * Credits::units_per_credit);
  };
  return {{.price = whole(10), .credits = whole(10)},
          {.price = whole(25), .credits = whole(27)},
          {.price = whole(50), .credits = whole(57)}};
}

void read_packages(TomlTable& pricing, std::vector<PackageConfig>& packages) {
  auto tables = pricing.tables("packages");
  if (!pricing.has("packages")) {
    packages = default_packages();
    return;
  }
  std::set<Credits> prices;
  for (TomlTable& table : tables) {
    const auto package = read_package(table);
    if (!package) continue;
    if (!prices.insert(package->price).second) {
      table.refuse(table.node().find("price")->value, "price",
                   in_quotes(package->price.to_exact_string()) + " is the price of another package already");
    }
    packages.push_back(*package);
  }
  const Node& list = pricing.node().find("packages")->value;
  if (list.kind == Node::Kind::array && list.elements.empty())
    pricing.refuse(list, "packages",
                   R"(the list is empty, expected at least one { price = "…", credits = "…" })");
}

void read_pricing(TomlTable table, PricingConfig& pricing) {
  read_rate(table, pricing.rate);
  table.read_duration("increment", pricing.increment, shortest_increment);
  price_increment(table, pricing);
  if (const auto minimum = read_credits(table, "minimum_to_start")) pricing.minimum_to_start = *minimum;
  table.read_duration("resume_window", pricing.resume_window, std::chrono::milliseconds(0));
  table.read_text("currency", pricing.currency, check_currency);
  read_packages(table, pricing.packages);
  table.refuse_unknown();
}

// ---- what hangs together with the pricing

void read_node_lease(TomlTable& table, BillingConfig& config) {
  const auto relays_for = config.pricing.increment + config.outage_grace;
  config.node_lease = relays_for + billing::usual_lease_slack;
  const Node* given = table.read_duration("node_lease", config.node_lease);
  const auto least = relays_for + billing::shortest_lease_slack;
  if (!given || config.node_lease >= least) return;
  table.refuse(*given, "node_lease",
               in_quotes(given->text) +
                   " is too short: a node may relay for increment + outage_grace after its last charge, and "
                   "its sessions must not be ended before; expected at least " +
                   format_duration(least));
}

// ---- what is for loopback addresses only

/// A malformed address counts as one that the world can reach.
bool is_loopback(std::string_view address) {
  const auto parsed = SocketAddress::parse(address);
  return parsed && parsed->ip().is_loopback();
}

/// The first [[listener]] that is not for this machine alone; empty: there is none. What else may be wrong
/// with the listeners is said by read_proxy_config().
std::string open_listener(const Node& root) {
  const Entry* listeners = root.find("listener");
  if (!listeners) return "";
  for (const Node& listener : listeners->value.elements) {
    const Entry* address = listener.find("address");
    if (!address) return "without an address";
    if (!is_loopback(address->value.text)) return in_quotes(address->value.text);
  }
  return "";
}

bool is_taken(const Node& root, std::string_view admin) {
  const auto address = SocketAddress::parse(admin);
  const Entry* listeners = root.find("listener");
  if (!address || address->port() == 0 || !listeners) return false;
  for (const Node& listener : listeners->value.elements) {
    const Entry* other = listener.find("address");
    if (other && SocketAddress::parse(other->value.text) == address) return true;
  }
  return false;
}

void read_admin(TomlTable table, const Node& root, AdminConfig& admin) {
  const Node* address = table.read_text("address", admin.address, check_address);
  const bool is_public = !is_loopback(admin.address);
  if (is_taken(root, admin.address))
    table.refuse(address ? *address : table.node(), "address",
                 in_quotes(admin.address) + " is taken by a [[listener]]");
  table.read_text("socket", admin.socket, check_socket);
  // Naming a variable that is not set is how an operator goes without operator calls: no mistake.
  table.read_secret("operator_token", admin.operator_token, IfUnset::leave_empty,
                    is_public ? check_public_token : check_token);
  const Node* anonymous = table.read_text("anonymous_user", admin.anonymous_user, check_user);
  if (anonymous && is_public) {
    table.refuse(*anonymous, "anonymous_user",
                 "anybody could be this user at " + in_quotes(admin.address) +
                     ", expected a loopback address for the admin port");
  }
  table.refuse_unknown();
}

void read_demo(TomlTable table, const Node& root, const AdminConfig& admin, DemoConfig& demo) {
  table.require("user", "the name of the demo user");
  table.require("token", "the token of the demo user");
  table.read_text("user", demo.user, check_user);
  table.read_text("token", demo.token, check_token);
  table.refuse_unknown();
  if (const std::string open = open_listener(root); !open.empty())
    table.refuse("its token is known to everybody, expected loopback addresses only, not the listener " +
                 open);
  if (!is_loopback(admin.address)) {
    table.refuse("its token is known to everybody, expected loopback addresses only, not the admin port " +
                 in_quotes(admin.address));
  }
}

void read_payments(TomlTable table, const AdminConfig& admin, bool& simulated) {
  if (auto provider = table.table("simulated")) {
    const Node* enabled = provider->read_flag("enabled", simulated);
    if (enabled && simulated && !is_loopback(admin.address)) {
      provider->refuse(
          *enabled, "enabled",
          "simulated payments give credits away, expected a loopback address for the admin port, not " +
              in_quotes(admin.address));
    }
    provider->refuse_unknown();
  }
  table.refuse_later("paystack");
  table.refuse_unknown();
}

std::string check_free_target(std::string_view text) {
  if (HostPattern::parse(text)) return "";
  return in_quotes(text) +
         R"( is no host, expected one such as "pay.example", "*.pay.example", "pay.example:8443" or "[2001:db8::1]")";
}

void read_free_targets(TomlTable& table, std::vector<HostPattern>& out) {
  std::vector<std::string> texts;
  const Node* list = table.read_texts("free_targets", texts, check_free_target);
  if (list == nullptr) return;
  if (texts.size() > most_free_targets)
    return table.refuse(*list, "free_targets",
                        "has " + std::to_string(texts.size()) + " entries, expected at most " +
                            std::to_string(most_free_targets));
  for (const std::string& text : texts) out.push_back(*HostPattern::parse(text));
}

}  // namespace

BillingConfig read_billing_table(Reading& reading, const std::string& name) {
  BillingConfig config;
  TomlTable root(reading, reading.root(), "");
  root.require(name, "the table [" + name + "] of the plugin of that name");
  auto table = root.table(name);
  if (!table) return config;

  read_ledger(*table, config.ledger);
  table->read_text("node", config.node, check_node);
  // Two nodes by one name would end each other's sessions whenever one of them starts.
  if (is_postgresql(config.ledger))
    table->require("node", "a name that no other node of this PostgreSQL ledger has, as in \"node-1\"");
  config.spool = "var/" + config.node + ".spool";
  table->read_text("spool", config.spool, check_file);
  table->read_duration("outage_grace", config.outage_grace);
  table->read_count("max_sessions", config.max_sessions, {.least = 1, .most = 10'000'000});
  table->read_count("wrong_tokens_per_minute", config.wrong_tokens_per_minute, {.least = 0, .most = 60'000});
  table->read_count("max_sessions_per_user", config.max_sessions_per_user,
                    {.least = 0, .most = most_sessions_per_user});
  table->read_count("widest_client_network_v4", config.widest_client_network_v4, {.least = 8, .most = 32});
  table->read_count("widest_client_network_v6", config.widest_client_network_v6, {.least = 16, .most = 128});
  read_free_targets(*table, config.free_targets);

  Node empty;
  empty.position = table->position();
  read_pricing(table->table_or("pricing", empty), config.pricing);
  read_node_lease(*table, config);
  read_admin(table->table_or("admin", empty), reading.root(), config.admin);
  if (auto demo = table->table("demo")) read_demo(*demo, reading.root(), config.admin, config.demo.emplace());
  if (auto payments = table->table("payments"))
    read_payments(*payments, config.admin, config.simulated_payments);
  table->refuse_unknown();
  return config;
}

Result<BillingConfig, Errors> read_billing_config(const std::string& path, const std::string& text,
                                                  const std::string& table) {
  Reading reading(path, text);
  if (!reading.parsed()) return reading.errors();
  BillingConfig config = read_billing_table(reading, table);
  if (!reading.clean()) return reading.errors();
  return config;
}

}  // namespace payg::config
