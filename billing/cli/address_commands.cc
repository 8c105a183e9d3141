#include "billing/admin/row_json.h"
#include "billing/cli/commands.h"
#include "billing/cli/table.h"
#include "billing/ledger/client_network.h"

namespace payg::billing::cli {
namespace {

struct Wanted {
  UserId user;
  Cidr network;
};

/// The user and the network that the command line names; the refusal has been said when there is none.
Result<Wanted, ExitCode> read_wanted(const Desk& desk, const AddressRequest& request) {
  const auto network = read_client_network(request.network, widest_networks);
  if (!network.ok())
    return refuse(desk, ExitCode::usage, request.network + ": " + describe(network.error(), widest_networks));
  const auto user = desk.ledger.find_user(request.name);
  if (!user.ok()) return refuse(desk, user.error(), "user " + request.name);
  return Wanted{user->id, *network};
}

ExitCode say(const Desk& desk, const AddressRequest& request, const Cidr& network, const std::string& what) {
  if (desk.form == Form::json) {
    JsonWriter json;
    json.begin_object().text("user", request.name).text("network", network.to_string()).end_object();
    desk.out << std::move(json).take() << '\n';
  } else {
    desk.out << network.to_string() << ' ' << what << ' ' << request.name << '\n';
  }
  return ExitCode::done;
}

void print_json(const Desk& desk, const std::vector<NetworkList>& lists) {
  JsonWriter json;
  json.begin_array();
  for (const NetworkList& list : lists) {
    for (const ListedNetwork& one : list.networks) {
      json.begin_object().text("user", list.user_name);
      write_network(json, one);
      json.end_object();
    }
  }
  json.end_array();
  desk.out << std::move(json).take() << '\n';
}

void print_table(const Desk& desk, const std::vector<NetworkList>& lists) {
  Table table({{"USER"}, {"NETWORK"}, {"SINCE"}, {"CONFIRMED"}});
  for (const NetworkList& list : lists)
    for (const ListedNetwork& one : list.networks)
      table.add({list.user_name, one.network.to_string(), time_text(one.added_at),
                 one.confirmed_at ? time_text(*one.confirmed_at) : "no token came from there yet"});
  table.print(desk.out);
}

}  // namespace

ExitCode add_address(const Desk& desk, const AddressRequest& request) {
  const auto wanted = read_wanted(desk, request);
  if (!wanted.ok()) return wanted.error();
  const auto done =
      desk.ledger.add_network(wanted->user, wanted->network, NetworkClaim::of_operator, desk.now());
  if (!done.ok()) return refuse(desk, done.error(), request.network);
  return say(desk, request, wanted->network, "is listed for");
}

ExitCode remove_address(const Desk& desk, const AddressRequest& request) {
  const auto wanted = read_wanted(desk, request);
  if (!wanted.ok()) return wanted.error();
  const auto done = desk.ledger.remove_network(wanted->user, wanted->network, desk.now());
  if (!done.ok()) return refuse(desk, done.error(), request.network);
  if (done->outcome == NetworkChange::Outcome::as_before)
    return refuse(desk, ExitCode::refused, request.network + ": is not listed for " + request.name);
  return say(desk, request, wanted->network, "is no longer listed for");
}

ExitCode list_addresses(const Desk& desk, const std::string& name) {
  std::optional<UserId> user;
  if (!name.empty()) {
    const auto found = desk.ledger.find_user(name);
    if (!found.ok()) return refuse(desk, found.error(), "user " + name);
    user = found->id;
  }
  const auto lists = desk.ledger.networks(user);
  if (!lists.ok()) return refuse(desk, lists.error(), "the addresses");
  desk.form == Form::json ? print_json(desk, *lists) : print_table(desk, *lists);
  return ExitCode::done;
}

}  // namespace payg::billing::cli
