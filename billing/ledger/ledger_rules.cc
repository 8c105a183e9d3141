#include "billing/ledger/ledger_rules.h"

#include <algorithm>
#include <array>
#include <utility>

#include "billing/core/user_name.h"
#include "billing/ledger/client_network.h"

namespace payg::billing {
namespace {

constexpr std::size_t longest_name = 64;
constexpr std::size_t longest_text = 4096;  // of anything that is kept as it was sent

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
constexpr bool is_name_character(char c) {
  return is_lower(c) || is_digit(c) || c == '_' || c == '.';
}
constexpr bool is_reference_character(char c) {
  return is_lower(c) || is_upper(c) || is_digit(c) || c == '-' || c == '.' || c == '=';
}

LedgerError invalid(std::string message) {
  return {LedgerError::Code::invalid, std::move(message)};
}

/// A zero byte would end the text early on its way into either database.
bool is_storable(std::string_view text) {
  return text.size() <= longest_text && text.find('\0') == std::string_view::npos;
}

}  // namespace

std::optional<LedgerError> check_new_user(std::string_view name, std::string_view email) {
  if (name.empty() || name.size() > longest_name ||
      !std::all_of(name.begin(), name.end(), is_name_character)) {
    return invalid("a user name is 1 to 64 characters of a-z, 0-9, _ and .");
  }
  if (!is_storable(email)) return invalid("this e-mail address cannot be stored");
  return std::nullopt;
}

std::optional<LedgerError> check_adjustment(Credits amount, std::string_view reference,
                                            std::string_view note) {
  if (amount == Credits()) return invalid("an adjustment by nothing");
  if (reference.empty()) return invalid("an adjustment needs a reference");
  if (!is_storable(reference) || !is_storable(note))
    return invalid("this reference or note cannot be stored");
  return std::nullopt;
}

std::optional<LedgerError> check_new_order(const Order& order) {
  if (order.reference.empty() || !is_storable(order.reference) ||
      !std::all_of(order.reference.begin(), order.reference.end(), is_reference_character)) {
    return invalid("an order's reference is made of A-Z, a-z, 0-9, -, . and =");
  }
  if (order.price <= Credits() || order.credits <= Credits() || order.bonus < Credits()) {
    return invalid("an order's price and credits are above zero, its bonus is not below");
  }
  if (!order.credits.plus(order.bonus)) return too_much();
  if (order.state != OrderState::pending || order.paid_at) return invalid("a new order is pending");
  for (const auto& text : {order.provider, order.currency, order.idempotency_key, order.request_digest,
                           order.authorization_url}) {
    if (!is_storable(text)) return invalid("a part of this order cannot be stored");
  }
  return std::nullopt;
}

std::optional<LedgerError> check_charge(const ChargeRequest& request) {
  if (request.number == 0 || request.price <= Credits() || request.increment.count() <= 0) {
    return invalid("a charge has a number, a price and an increment above zero");
  }
  if (request.session_limit > most_counted_sessions) return invalid("this limit on sessions is out of range");
  if (!is_storable(request.label) || !is_storable(request.exit)) {
    return invalid("this label or exit cannot be stored");
  }
  return std::nullopt;
}

std::optional<LedgerError> check_page(int limit) {
  if (limit < 1 || limit > 10'000) return invalid("a page has 1 to 10,000 rows");
  return std::nullopt;
}

std::optional<LedgerError> check_location(const plugin::Location& location) {
  for (const auto& [key, value] :
       {std::pair("country", &location.country), std::pair("state", &location.state),
        std::pair("city", &location.city), std::pair("isp", &location.isp)})
    if (!value->empty() && check_value(key, *value))
      return invalid("this is no location: " + std::string(describe(*check_value(key, *value))));
  return std::nullopt;
}

std::optional<LedgerError> check_network(const Cidr& network) {
  if (!is_client_network(network)) return invalid("clients do not come from " + network.to_string());
  return std::nullopt;
}

LedgerResult<std::vector<NetworkList>> gather_networks(const std::vector<NetworkRow>& rows) {
  std::vector<NetworkList> lists;
  for (const NetworkRow& row : rows) {
    if (lists.empty() || lists.back().user != row.user)
      lists.push_back({.user = row.user, .user_name = row.user_name, .change = row.change, .networks = {}});
    if (row.network.empty()) continue;
    const auto network = Cidr::parse(row.network);
    if (!network) return unreadable("network");
    lists.back().networks.push_back(
        {.network = *network, .added_at = row.added_at, .confirmed_at = row.confirmed_at});
  }
  for (NetworkList& list : lists)
    std::ranges::sort(list.networks, {}, [](const ListedNetwork& one) {
      return std::pair(one.network.network().family(), one.network);
    });
  return lists;
}

const ListedNetwork* find_network(const NetworkList& list, const Cidr& network) {
  const auto found = std::ranges::find(list.networks, network, &ListedNetwork::network);
  return found == list.networks.end() ? nullptr : &*found;
}

std::string types_text(const TransactionFilter& filter) {
  std::string text;
  for (const TransactionType type : filter.types) text += ',' + std::string(name_of(type));
  return text.empty() ? text : text + ',';
}

bool same_order(const Order& found, const Order& asked) {
  return found.user == asked.user && found.provider == asked.provider && found.price == asked.price &&
         found.currency == asked.currency && found.credits == asked.credits && found.bonus == asked.bonus &&
         found.idempotency_key == asked.idempotency_key && found.request_digest == asked.request_digest;
}

LedgerError no_such_user() {
  return {LedgerError::Code::not_found, "no such user"};
}
LedgerError no_such_order() {
  return {LedgerError::Code::not_found, "no such order"};
}
LedgerError token_taken() {
  return {LedgerError::Code::conflict, "this token belongs to another user"};
}
LedgerError too_much() {
  return invalid("the amount is out of range");
}
LedgerError same_reference_other_content() {
  return {LedgerError::Code::conflict, "this reference was used for something else"};
}
LedgerError same_key_other_content() {
  return {LedgerError::Code::conflict, "this idempotency key was used for another request"};
}
LedgerError not_covered() {
  return {LedgerError::Code::insufficient, "the balance does not cover it"};
}
LedgerError network_taken() {
  return {LedgerError::Code::already_exists, "another user has a network that overlaps with this one"};
}
LedgerError no_such_network() {
  return {LedgerError::Code::not_found, "the user has not listed this network"};
}
LedgerError too_many_networks() {
  return {LedgerError::Code::too_many,
          "a user lists at most " + std::to_string(most_listed_networks) + " networks"};
}
LedgerError life_is_over() {
  return {LedgerError::Code::life_is_over, "another process has started by the name of this node"};
}
LedgerError unreadable(std::string_view what) {
  return {LedgerError::Code::broken, "the database holds an unreadable " + std::string(what)};
}

}  // namespace payg::billing
