#include "billing/ledger/postgres_hosts.h"

#include <libpq-fe.h>

#include <algorithm>
#include <utility>

namespace payg::billing {
namespace {

/// "a,b" is two, and so is "a,"; nothing at all is none.
std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  if (list.empty()) return parts;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    parts.emplace_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// The list's part for one of the servers. One port stands for all of them.
std::string part_of(const std::vector<std::string>& parts, std::size_t index) {
  if (parts.size() == 1) return parts.front();
  return index < parts.size() ? parts[index] : std::string();
}

void append(std::string& list, const std::string& part, bool is_first) {
  if (!is_first) list += ',';
  list += part;
}

struct Lists {
  std::vector<std::string> hosts, addresses, ports;
};

Lists lists_in(const std::string& url) {
  Lists lists;
  PQconninfoOption* const options = PQconninfoParse(url.c_str(), nullptr);
  if (options == nullptr) return lists;
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    const std::string_view value = option->val == nullptr ? "" : option->val;
    if (keyword == "host") lists.hosts = split(value);
    if (keyword == "hostaddr") lists.addresses = split(value);
    if (keyword == "port") lists.ports = split(value);
  }
  PQconninfoFree(options);
  return lists;
}

/// Lists of different lengths are libpq's to refuse.
bool fit_together(const Lists& lists) {
  const std::size_t count = std::max(lists.hosts.size(), lists.addresses.size());
  const auto fits = [count](const std::vector<std::string>& list, std::size_t also) {
    return list.empty() || list.size() == count || list.size() == also;
  };
  return count > 1 && fits(lists.hosts, count) && fits(lists.addresses, count) && fits(lists.ports, 1);
}

}  // namespace

PostgresHosts::PostgresHosts(std::string url) : url_(std::move(url)) {
  const Lists lists = lists_in(url_);
  if (!fit_together(lists)) return;
  const std::size_t count = std::max(lists.hosts.size(), lists.addresses.size());
  for (std::size_t i = 0; i < count; ++i)
    hosts_.push_back({part_of(lists.hosts, i), part_of(lists.addresses, i), part_of(lists.ports, i)});
}

PostgresHosts::Order PostgresHosts::order() const {
  const std::lock_guard lock(mutex_);
  Order order;
  for (std::size_t i = 0; i < std::min(hosts_.size(), most_asked); ++i) {
    const Host& host = hosts_[i];
    const bool is_first = i == 0;
    order.asked.push_back(host);
    append(order.hosts, host.name, is_first);
    append(order.addresses, host.address, is_first);
    append(order.ports, host.port, is_first);
  }
  // Lists of nothing but commas say nothing, and libpq would take them for names.
  for (std::string* list : {&order.hosts, &order.addresses, &order.ports})
    if (list->find_first_not_of(',') == std::string::npos) list->clear();
  return order;
}

void PostgresHosts::note_connected(std::string_view host, std::string_view port) {
  move(host, port, Place::front);
}

void PostgresHosts::note_all_away(const Order& order) {
  const std::lock_guard lock(mutex_);
  std::stable_partition(hosts_.begin(), hosts_.end(), [&order](const Host& host) {
    return std::find(order.asked.begin(), order.asked.end(), host) == order.asked.end();
  });
}

void PostgresHosts::note_silent(std::string_view host, std::string_view port) {
  move(host, port, Place::back);
  const std::lock_guard lock(mutex_);
  ++silences_;
}

unsigned PostgresHosts::silences() const {
  const std::lock_guard lock(mutex_);
  return silences_;
}

bool PostgresHosts::Host::is(std::string_view host, std::string_view at_port) const {
  constexpr std::string_view default_port = "5432";
  return (name.empty() ? address : name) == host &&
         (port.empty() ? default_port : std::string_view(port)) == at_port;
}

void PostgresHosts::move(std::string_view host, std::string_view port, Place place) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& each) { return each.is(host, port); });
  if (found == hosts_.end()) return;
  place == Place::front ? std::rotate(hosts_.begin(), found, found + 1)
                        : std::rotate(found, found + 1, hosts_.end());
}

}  // namespace payg::billing
