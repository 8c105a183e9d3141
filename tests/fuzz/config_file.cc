#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "config/billing_config.h"
#include "config/duration.h"
#include "config/proxy_config.h"
#include "plugin/base/address.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

using billing::Credits;
using config::BillingConfig;
using config::Errors;
using config::ProxyConfig;
using std::chrono::milliseconds;

/// "file:line:column: what": the line; nullopt: it is written in another way.
std::optional<std::size_t> line_of(std::string_view error) {
  constexpr std::string_view file = "file:";
  if (!error.starts_with(file)) return std::nullopt;
  error.remove_prefix(file.size());
  std::size_t line = 0, column = 0;
  const char* end = error.data() + error.size();
  const auto behind_line = std::from_chars(error.data(), end, line);
  if (behind_line.ptr == end || *behind_line.ptr != ':') return std::nullopt;
  const auto behind_column = std::from_chars(behind_line.ptr + 1, end, column);
  const std::string_view rest(behind_column.ptr, static_cast<std::size_t>(end - behind_column.ptr));
  if (line == 0 || column == 0 || !rest.starts_with(": ") || rest.size() < 8) return std::nullopt;
  return line;
}

void errors_say_where_and_what(const Errors& errors, std::string_view text) {
  must(!errors.empty(), "a file that is refused is refused for a reason");
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  std::size_t last = 1;
  for (const std::string& error : errors) {
    const auto line = line_of(error);
    must(line.has_value(), "an error names the file, the line, the column and what is wrong");
    must(*line <= lines, "an error's line is one of the file");
    must(*line >= last, "errors stand in the order of the file");
    must(error.find_first_of(std::string_view("\r\n\0", 3)) == error.npos, "an error is one line");
    last = *line;
  }
}

void is_a_time(milliseconds time) {
  must(time.count() >= 0 && time <= config::longest_duration, "a time stands in its bounds");
}

void proxy_is_as_promised(const ProxyConfig& config) {
  must(!config.listeners.empty() && !config.exits.empty(), "there is a way in and a way out");
  for (const auto& listener : config.listeners) {
    must(SocketAddress::parse(listener.address).has_value(), "a listener has an address");
    must(listener.http || listener.socks5, "a listener speaks something");
  }
  for (const auto& exit : config.exits) {
    must(!exit.name.empty() && exit.weight >= 1 && exit.weight <= 1000, "an exit has a name and a weight");
    must(exit.source_address.empty() || IpAddress::parse(exit.source_address).has_value(),
         "an exit's address is one");
  }
  for (const std::string& block : config.allow_targets) must(Cidr::parse(block).has_value(), "a CIDR is one");
  must(config.plugins.size() <= config::max_plugins, "there are no more plugins than a chain takes");
  must(config.workers <= 1024 && config.max_connections_per_user >= 1, "counts stand in their bounds");
  for (const auto time : {config.idle_timeout, config.handshake_timeout, config.connect_timeout})
    must(time.count() > 0, "a timeout is above zero");
  for (const auto time : {config.idle_timeout, config.drain_timeout}) is_a_time(time);
}

bool is_loopback(const std::string& address) {
  const auto parsed = SocketAddress::parse(address);
  return parsed && parsed->ip().is_loopback();
}

void pricing_is_exact(const config::PricingConfig& pricing) {
  must(pricing.rate.thousandths() > 0, "time has a price");
  must(pricing.rate.price_of(pricing.increment) == pricing.increment_price,
       "an increment has an exact price");
  must(pricing.increment_price > Credits(), "an increment costs something");
  must(pricing.increment >= milliseconds(100), "an increment is not shorter than can be charged");
  must(pricing.minimum_to_start >= Credits(), "no minimum below zero");
  must(pricing.currency.size() == 3, "a currency is a code");
  must(!pricing.packages.empty(), "something is sold");
  for (const auto& package : pricing.packages)
    must(package.price > Credits() && package.credits >= package.price,
         "no package gives less than its price");
  is_a_time(pricing.increment);
  is_a_time(pricing.resume_window);
}

void billing_is_as_promised(const BillingConfig& config) {
  pricing_is_exact(config.pricing);
  must(config.ledger.starts_with("sqlite:") || config.ledger.starts_with("postgres"), "a ledger is one");
  must(!config.node.empty() && config.max_sessions >= 1, "a node has a name");
  must(SocketAddress::parse(config.admin.address).has_value(), "the admin port has an address");
  const bool open = !is_loopback(config.admin.address);
  must(!open || (!config.demo && !config.simulated_payments && config.admin.anonymous_user.empty()),
       "what costs nothing is for loopback addresses only");
  is_a_time(config.outage_grace);
}

template <class Config>
bool same_twice(const Result<Config, Errors>& first, const Result<Config, Errors>& second) {
  if (first.ok() != second.ok()) return false;
  return first.ok() ? *first == *second : first.error() == second.error();
}

}  // namespace

void config_file(std::string_view input) {
  // Keys that end so name a file of this machine to read, which is not the parser's doing.
  if (input.find("_file") != input.npos) return;
  const std::string text(input);
  const auto proxy = config::read_proxy_config("file", text);
  const auto billing = config::read_billing_config("file", text, "billing");
  proxy.ok() ? proxy_is_as_promised(*proxy) : errors_say_where_and_what(proxy.error(), input);
  billing.ok() ? billing_is_as_promised(*billing) : errors_say_where_and_what(billing.error(), input);
  must(same_twice(proxy, config::read_proxy_config("file", text)), "a file says the same each time");
  must(same_twice(billing, config::read_billing_config("file", text, "billing")),
       "a file says the same each time");
}

}  // namespace payg::fuzz
