#include <algorithm>

#include "billing/admin/body.h"
#include "billing/admin/calls.h"
#include "billing/admin/problem.h"
#include "billing/admin/row_json.h"

namespace payg::billing {
namespace {

/// Whose list it is about, how wide a network may be on it, and whether it has to be confirmed: the operator
/// knows what he does.
struct Subject {
  User user;
  NetworkWidth widest;
  NetworkClaim claim;
};

Result<Subject, Reply> subject_of(const Call& call) {
  if (call.caller.kind == Caller::Kind::user)
    return Subject{call.caller.user, call.settings.widest_networks, NetworkClaim::of_user};
  auto user = call.ledger.find_user(call.parameter);
  if (user.ok()) return Subject{std::move(*user), widest_networks, NetworkClaim::of_operator};
  if (user.error().code == LedgerError::Code::not_found)
    return problem(Problem::not_found, "There is no user of this name.");
  return problem(user.error());
}

Result<Cidr, Reply> read_network(std::string_view text, const NetworkWidth& widest) {
  const auto network = read_client_network(text, widest);
  if (network.ok()) return *network;
  return problem(Problem::invalid_value, "network: " + describe(network.error(), widest) + ".");
}

/// Behind the path for a user's own, in the query for the operator, whose path names the user.
std::string named_network(const Call& call) {
  if (call.caller.kind == Caller::Kind::user) return call.parameter;
  const auto found = call.request.query.find("network");
  return found == call.request.query.end() ? std::string() : found->second;
}

Reply not_listed() {
  return problem(Problem::not_found, "This network is not listed.");
}

Reply refuse(const LedgerError& error) {
  if (error.code == LedgerError::Code::already_exists)
    return problem(Problem::network_taken, "Another user has a network that overlaps with this one.");
  if (error.code == LedgerError::Code::too_many)
    return problem(
        Problem::too_many_networks,
        "A user lists at most " + std::to_string(most_listed_networks) + " networks; take one back first.");
  return problem(error);
}

void describe_one(JsonWriter& json, const ListedNetwork& one) {
  json.begin_object();
  write_network(json, one);
  json.end_object();
}

/// A path that DELETE understands.
std::string path_of(const Cidr& network) {
  return "/api/addresses/" + network.network().to_string() + "%2F" + std::to_string(network.bits());
}

}  // namespace

Reply list_addresses(const Call& call) {
  const auto subject = subject_of(call);
  if (!subject.ok()) return subject.error();
  const auto lists = call.ledger.networks(subject->user.id);
  if (!lists.ok()) return problem(lists.error());
  JsonWriter json;
  json.begin_object().begin_array("addresses");
  for (const ListedNetwork& one : lists->front().networks) describe_one(json, one);
  json.end_array()
      .number("most", most_listed_networks)
      .number("widest_v4", subject->widest.v4)
      .number("widest_v6", subject->widest.v6)
      .end_object();
  return {.body = std::move(json).take()};
}

Reply add_address(const Call& call) {
  const auto body = read_body(call.request);
  if (!body.ok()) return body.error();
  const auto text = optional_text(*body, "network");
  if (!text.ok()) return text.error();
  const auto subject = subject_of(call);
  if (!subject.ok()) return subject.error();
  const auto network = read_network(*text, subject->widest);
  if (!network.ok()) return network.error();
  const auto change = call.ledger.add_network(subject->user.id, *network, subject->claim, call.now());
  if (!change.ok()) return refuse(change.error());
  call.metering.networks_changed(change->list);

  const auto& listed = change->list.networks;
  const auto one = std::ranges::find(listed, *network, &ListedNetwork::network);
  if (one == listed.end()) return problem(Problem::internal, "The ledger has lost it again.");
  JsonWriter json;
  describe_one(json, *one);
  Reply reply{.status = change->outcome == NetworkChange::Outcome::changed ? 201 : 200,
              .body = std::move(json).take()};
  if (call.caller.kind == Caller::Kind::user) reply.headers.emplace_back("Location", path_of(*network));
  return reply;
}

Reply remove_address(const Call& call) {
  const auto subject = subject_of(call);
  if (!subject.ok()) return subject.error();
  // What could not be listed is not; the widths may have been others when it was.
  const auto network = read_client_network(named_network(call), widest_networks);
  if (!network.ok()) return not_listed();
  const auto change = call.ledger.remove_network(subject->user.id, *network, call.now());
  if (!change.ok()) return problem(change.error());
  call.metering.networks_changed(change->list);
  if (change->outcome == NetworkChange::Outcome::as_before) return not_listed();
  return {.status = 204, .content_type = {}, .headers = {}, .body = {}};
}

}  // namespace payg::billing
