#include "proxy/udp_association.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "proxy/worker.h"

namespace payg::proxy {
namespace {

// As many as a client that talks to many at once needs (a resolver, a browser); each takes 700 bytes at most.
constexpr std::size_t most_targets = 256;
// A name is asked for again behind this; a target that was refused may be asked about again, too.
constexpr std::chrono::seconds good_for{60};
// Beyond these, a datagram that would have to wait is dropped, unless none waits: it may be the largest there
// is. One target leaves room for others.
constexpr std::ptrdiff_t most_waiting_for_one = 4;
constexpr std::size_t most_waiting = 16;
constexpr std::size_t most_waiting_bytes = 16 * 1024;
// Datagrams of one socket, before others have their turn.
constexpr int share = 64;

}  // namespace

/// The name of a target, with the name servers.
struct UdpAssociation::Lookup final : ResolutionHandler {
  Lookup(UdpAssociation& owner, const std::string& key, const std::string& name)
      : association(owner),
        target(key),
        resolution(owner.connection_.worker().resolver().resolve(name, *this)) {}

  void on_resolved(IpAddress::Family, std::vector<IpAddress> addresses) noexcept override {
    association.note_answer(*this, addresses);  // may destroy this
  }

  UdpAssociation& association;
  const std::string target;
  int unanswered = 2;  // families whose answer has not come
  RefusalKind why_not = RefusalKind::unresolved;
  std::unique_ptr<Resolver::Resolution> resolution;
};

UdpAssociation::UdpAssociation(Connection& connection, ExitRef exit,
                               const std::optional<SocketAddress>& client)
    : connection_(connection), exit_(std::move(exit)), last_activity_(connection.worker().now()) {
  if (client && client->ip().unmapped() == connection.peer().ip().unmapped()) client_port_ = client->port();
}

UdpAssociation::~UdpAssociation() = default;

std::optional<SocketAddress> UdpAssociation::open() {
  second_place_ = ConnectionLimit::Place(connection_.worker().connection_limit());
  if (!second_place_) return std::nullopt;
  if (!open_client_side()) return std::nullopt;
  // An exit that has an address of its own shows here whether it works, before anything is charged.
  if (const auto& source = exit_->source(); source && exit_socket(source->family()) == nullptr) {
    failure_ = failure_of_bind(errno);
    return std::nullopt;
  }
  auto bound = client_side_.local();
  if (const auto& told = connection_.entrance().udp_address; bound && told)
    bound = SocketAddress(*told, bound->port());
  return bound;
}

bool UdpAssociation::open_client_side() {
  event_base* const base = connection_.worker().base();
  if (const auto& told = connection_.entrance().udp_address) {
    if (client_side_.open(base, *told, *this)) return true;
    const bool is_elsewhere = errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT;
    if (!is_elsewhere) return false;
  }
  const auto here = local_address(connection_.client().fd());
  return here && client_side_.open(base, here->ip().unmapped(), *this);
}

void UdpAssociation::start() noexcept {
  Worker& worker = connection_.worker();
  worker.counters().udp_associations_total.fetch_add(1, std::memory_order_relaxed);
  connection_.set_timeout(worker.settings().idle_timeout);
  on_client_ready();
}

void UdpAssociation::on_client_ready() noexcept {
  // It has nothing more to say: only that it is there.
  const auto scratch = connection_.worker().resources().scratch;
  if (connection_.client().discard(scratch) == Socket::Discarded::all)
    return connection_.close(ConnectionEnd::client_closed);
  relay();
}

// ---- relaying

void UdpAssociation::relay() noexcept {
  const auto scratch = connection_.worker().resources().scratch;
  const bool down_first = connection_.order() == Connection::Order::reversed;
  if (!down_first) relay_from(client_side_, [&] { relay_up(scratch); });
  for (UdpSocket& socket : exit_side_) relay_from(socket, [&] { relay_down(socket, scratch); });
  if (down_first) relay_from(client_side_, [&] { relay_up(scratch); });
}

template <class Step>
void UdpAssociation::relay_from(UdpSocket& source, Step step) noexcept {
  for (int moved = 0; source.readable() && !connection_.is_closed(); ++moved) {
    if (moved == share) return connection_.client().ready_again();
    // Made anew for each: asking about a target may change which sessions there are.
    if (!connection_.up_passage(connection_.worker().now()).open()) return;
    step();
  }
}

void UdpAssociation::relay_up(std::span<char> scratch) {
  const auto arrival = client_side_.receive(scratch);
  if (arrival.outcome != Socket::Outcome::some) return;
  socks::Datagram datagram;
  if (!is_from_client(arrival.from) || !socks::parse_datagram({scratch.data(), arrival.count}, datagram))
    return count_dropped();
  const Target& target = find_or_begin(datagram);
  switch (target.state) {
    case Target::State::open: return send_to(target, datagram.payload);
    case Target::State::refused: return count_dropped();
    case Target::State::in_question:
    case Target::State::resolving: return wait(datagram.payload);
  }
}

void UdpAssociation::relay_down(UdpSocket& source, std::span<char> scratch) {
  constexpr std::size_t room = socks::DatagramHead::most_bytes;
  const auto arrival = source.receive(scratch.subspan(room));
  if (arrival.outcome != Socket::Outcome::some) return;
  if (client_port_ == 0 || !contacted_.contains(arrival.from)) return count_dropped();
  const socks::DatagramHead head(arrival.from);
  char* const begin = scratch.data() + room - head.view().size();
  std::memcpy(begin, head.view().data(), head.view().size());
  const std::string_view whole(begin, head.view().size() + arrival.count);
  const SocketAddress client(connection_.peer().ip().unmapped(), client_port_);
  last_activity_ = connection_.worker().now();
  const auto sent = connection_.down_passage(last_activity_).send(client_side_, whole, client);
  if (sent.outcome != Socket::Outcome::some) return count_dropped();
  connection_.worker().counters().datagrams_down_total.fetch_add(1, std::memory_order_relaxed);
}

bool UdpAssociation::is_from_client(const SocketAddress& from) noexcept {
  if (from.ip() != connection_.peer().ip().unmapped()) return false;
  if (client_port_ == 0) client_port_ = from.port();
  return from.port() == client_port_;
}

void UdpAssociation::send_to(const Target& target, std::string_view payload) {
  UdpSocket* const socket = exit_socket(target.address->ip().family());
  if (socket == nullptr) return count_dropped();
  last_activity_ = connection_.worker().now();
  const auto sent = connection_.up_passage(last_activity_).send(*socket, payload, *target.address);
  if (sent.outcome != Socket::Outcome::some) return count_dropped();
  connection_.worker().counters().datagrams_up_total.fetch_add(1, std::memory_order_relaxed);
}

UdpSocket* UdpAssociation::exit_socket(IpAddress::Family family) {
  UdpSocket& socket = exit_side_[index_of(family)];
  if (socket.is_open()) return &socket;
  const auto& source = exit_->source();
  if (source && source->family() != family) return nullptr;
  const IpAddress any = family == IpAddress::Family::v4 ? IpAddress() : IpAddress::v6(in6addr_any);
  return socket.open(connection_.worker().base(), source.value_or(any), *this) ? &socket : nullptr;
}

void UdpAssociation::count_dropped() noexcept {
  connection_.worker().counters().datagrams_dropped_total.fetch_add(1, std::memory_order_relaxed);
}

// ---- targets

UdpAssociation::Target& UdpAssociation::find_or_begin(const socks::Datagram& datagram) {
  key_.assign(datagram.host.text).append(1, ' ').append(std::to_string(datagram.port));
  const MonotonicTime now = connection_.worker().now();
  auto found = targets_.find(key_);
  if (found == targets_.end()) {
    if (targets_.size() >= most_targets) forget_least_used();
    found = targets_.try_emplace(key_).first;
    found->second.host = datagram.host;
    found->second.port = datagram.port;
  } else if (found->second.is_settled() && now > found->second.settled_at + good_for) {
    found->second.state = Target::State::in_question;
  }
  found->second.last_used = now;
  return found->second;
}

void UdpAssociation::forget_least_used() {
  auto least = targets_.end();
  for (auto target = targets_.begin(); target != targets_.end(); ++target) {
    if (!target->second.is_settled()) continue;  // few: those who wait are few
    if (least == targets_.end() || target->second.last_used < least->second.last_used) least = target;
  }
  if (least == targets_.end()) return;
  forget_address(least->second);
  targets_.erase(least);
}

void UdpAssociation::forget_address(Target& target) {
  const auto address = std::exchange(target.address, std::nullopt);
  if (!address) return;
  const auto found = contacted_.find(*address);
  if (--found->second == 0) contacted_.erase(found);
}

/// REQUIRES: key_ is its target's.
void UdpAssociation::wait(std::string_view payload) {
  const auto before = std::ranges::count(waiting_, key_, &Waiting::target);
  const bool has_room = waiting_.empty() || (waiting_.size() < most_waiting &&
                                             waiting_bytes_ + payload.size() <= most_waiting_bytes);
  if (!has_room || before >= most_waiting_for_one) {
    if (before == 0) leave_in_peace();
    return count_dropped();
  }
  waiting_.push_back({.target = key_, .payload = std::string(payload)});
  waiting_bytes_ += payload.size();
  ask_next();
}

void UdpAssociation::leave_in_peace() {
  const auto target = targets_.find(key_);
  if (target->second.address) {
    target->second.state = Target::State::open;
  } else {
    targets_.erase(target);
  }
}

void UdpAssociation::ask_next() {
  if (in_question_ || connection_.is_closed()) return;
  const auto next = std::ranges::find(waiting_, Target::State::in_question,
                                      [this](const Waiting& one) { return targets_.at(one.target).state; });
  if (next == waiting_.end()) return;
  in_question_ = next->target;
  const Target& target = targets_.at(*in_question_);
  connection_.on_request(plugin::Protocol::socks5_udp, target.host.text, target.port);
  connection_.gate().admit(
      {.protocol = plugin::Protocol::socks5_udp, .host = target.host.text, .port = target.port});
}

void UdpAssociation::on_admitted(const plugin::Location&) noexcept {
  connection_.established(*exit_);  // another session, perhaps
  const std::string key = *std::exchange(in_question_, std::nullopt);
  Target& target = targets_.at(key);
  if (!target.host.address) {
    // A name server that is silent holds up nobody but those who wait for this name.
    target.state = Target::State::resolving;
    target.lookup = std::make_unique<Lookup>(*this, key, target.host.text);
    return ask_next();
  }
  RefusalKind why_not = RefusalKind::unresolved;
  if (const auto address = choose({*target.host.address}, target.port, why_not))
    return settle(key, Target::State::open, address);
  connection_.count_refusal(why_not);
  settle(key, Target::State::refused);
}

void UdpAssociation::on_denied(const plugin::Denial& denial) noexcept {
  connection_.count_refusal(kind_of(denial.reason));
  settle(*std::exchange(in_question_, std::nullopt), Target::State::refused);
}

void UdpAssociation::note_answer(Lookup& lookup, const std::vector<IpAddress>& addresses) {
  --lookup.unanswered;
  const std::string key = lookup.target;
  if (const auto address = choose(addresses, targets_.at(key).port, lookup.why_not))
    return settle(key, Target::State::open, address);
  if (lookup.unanswered != 0) return;
  connection_.count_refusal(lookup.why_not);
  settle(key, Target::State::refused);
}

std::optional<SocketAddress> UdpAssociation::choose(const std::vector<IpAddress>& addresses,
                                                    std::uint16_t port, RefusalKind& why_not) {
  const Guard& guard = connection_.worker().dial_context().guard;
  for (const IpAddress& found : addresses) {
    const SocketAddress address(found.unmapped(), port);
    if (!guard.is_allowed(address)) {
      why_not = RefusalKind::forbidden_target;
    } else if (exit_socket(address.ip().family()) == nullptr) {
      why_not = RefusalKind::unreachable;
    } else {
      return address;
    }
  }
  return std::nullopt;
}

void UdpAssociation::settle(const std::string& key, Target::State state,
                            std::optional<SocketAddress> address) {
  Target& target = targets_.at(key);
  target.state = state;
  target.lookup.reset();
  if (address) ++contacted_[*address];
  forget_address(target);
  target.address = address;
  target.settled_at = connection_.worker().now();
  for (auto one = waiting_.begin(); one != waiting_.end();) {
    if (one->target != key) {
      ++one;
      continue;
    }
    state == Target::State::open ? send_to(target, one->payload) : count_dropped();
    waiting_bytes_ -= one->payload.size();
    one = waiting_.erase(one);
  }
  ask_next();
}

// ---- ends

void UdpAssociation::on_timeout() noexcept {
  const auto limit = connection_.worker().settings().idle_timeout;
  const auto idle =
      std::chrono::floor<std::chrono::milliseconds>(connection_.worker().now() - last_activity_);
  if (idle < limit) return connection_.set_timeout(limit - idle);
  connection_.close(ConnectionEnd::idle_timeout);
}

CutManner UdpAssociation::on_cut(const plugin::Denial&) noexcept {
  return CutManner::abort;
}

void UdpAssociation::close() noexcept {
  client_side_.close();
  for (UdpSocket& socket : exit_side_) socket.close();
  // Not the lookups themselves: one of them may be on its way here.
  for (auto& [key, target] : targets_)
    if (target.lookup) target.lookup->resolution.reset();
  waiting_.clear();
  waiting_bytes_ = 0;
  second_place_ = {};
}

}  // namespace payg::proxy
