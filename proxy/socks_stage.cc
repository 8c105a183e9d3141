#include "proxy/socks_stage.h"

#include "proxy/tunnel.h"
#include "proxy/udp_association.h"
#include "proxy/worker.h"

namespace payg::proxy {

SocksStage::SocksStage(Connection& connection, Buffer received)
    : connection_(connection), received_(std::move(received)) {}

void SocksStage::on_client_ready() noexcept {
  receive();
  if (!connection_.is_closed()) advance();
}

void SocksStage::receive() {
  Socket& client = connection_.client();
  if (step_ == Step::refused) {
    if (client.discard(connection_.worker().resources().scratch) == Socket::Discarded::all)
      connection_.close(ConnectionEnd::answered);
    return;
  }
  // Bytes behind the request are read by the tunnel; until then only what a handshake can hold.
  constexpr std::size_t most_ahead = 64 * 1024;
  while (client.readable() && !client_ended_ && received_.size() < most_ahead) {
    const auto got = client.read(received_.writable(1024));
    if (got.outcome == Socket::Outcome::blocked) return;
    if (got.outcome == Socket::Outcome::ended && step_ == Step::dialing)
      return;  // half-closed: the tunnel passes it on
    if (got.outcome == Socket::Outcome::failed) return connection_.close(ConnectionEnd::client_reset);
    if (got.outcome == Socket::Outcome::ended) {
      client_ended_ = true;  // perhaps behind all that is needed: the tunnel passes it on
      return;
    }
    received_.commit(got.count);
  }
}

void SocksStage::advance() {
  for (bool more = true; more && !connection_.is_closed();) {
    switch (step_) {
      case Step::greeting: more = read_greeting(); break;
      case Step::credentials: more = read_credentials(); break;
      case Step::request: more = read_request(); break;
      case Step::authenticating:
      case Step::admitting:
      case Step::dialing:
      case Step::refused: more = false; break;
    }
  }
  const bool needs_more = step_ == Step::greeting || step_ == Step::credentials || step_ == Step::request;
  if (client_ended_ && needs_more && !connection_.is_closed())
    connection_.close(ConnectionEnd::client_closed);
}

bool SocksStage::is_complete(const socks::ParseOutcome& outcome) {
  if (outcome.state == socks::ParseState::refused) {
    connection_.count_refusal(RefusalKind::bad_request);
    finish_with(outcome.answer);
  }
  return outcome.state == socks::ParseState::complete;
}

bool SocksStage::read_greeting() {
  socks::Greeting greeting;
  const auto outcome = socks::parse_greeting(received_.view(), greeting);
  if (!is_complete(outcome)) return false;
  received_.consume(outcome.consumed);

  if (greeting.offers_user_name_password) {
    method_ = Method::user_name_password;
    send(socks::method_selection(socks::Method::user_name_password));
    step_ = Step::credentials;
  } else if (greeting.offers_no_credentials) {
    // Nobody without credentials gets far where a plugin wants some, but that is for the plugin to say.
    method_ = Method::none;
    authenticate(false, {}, {});
  } else {
    connection_.count_refusal(RefusalKind::bad_credentials);
    finish_with(socks::method_selection(socks::Method::unacceptable));
  }
  return true;
}

bool SocksStage::read_credentials() {
  socks::Credentials credentials;
  const auto outcome = socks::parse_credentials(received_.view(), credentials);
  if (!is_complete(outcome)) return false;
  // The names lie in the buffer; the plugin copies what it needs within the call.
  const std::string name(credentials.name);
  const std::string password(credentials.password);
  received_.consume(outcome.consumed);
  authenticate(true, name, password);
  return true;
}

void SocksStage::authenticate(bool has_credentials, std::string_view name, std::string_view password) {
  step_ = Step::authenticating;
  sockaddr_storage client;
  connection_.peer().to(client);
  connection_.gate().authenticate({.connection = {},
                                   .protocol = plugin::Protocol::socks5,
                                   .client = reinterpret_cast<const sockaddr*>(&client),
                                   .has_credentials = has_credentials,
                                   .name = name,
                                   .password = password});
}

void SocksStage::on_authenticated() noexcept {
  if (method_ == Method::user_name_password) {
    send(socks::credentials_reply(socks::CredentialsStatus::success));
  } else {
    send(socks::method_selection(socks::Method::no_credentials));
  }
  step_ = Step::request;
  advance();
}

void SocksStage::on_denied(const plugin::Denial& denial) noexcept {
  const RefusalKind kind = kind_of(denial.reason);
  if (step_ != Step::authenticating) return refuse(kind);

  // Who may not even try his credentials is not told that they are right.
  const bool is_unknown = kind == RefusalKind::bad_credentials || kind == RefusalKind::too_many;
  if (method_ == Method::none && is_unknown) {
    connection_.count_refusal(kind);
    return finish_with(socks::method_selection(socks::Method::unacceptable));
  }
  if (is_unknown) {
    connection_.count_refusal(kind);
    return finish_with(socks::credentials_reply(socks::CredentialsStatus::failure));
  }
  pending_denial_ = denial;
  on_authenticated();
}

bool SocksStage::read_request() {
  const auto outcome = socks::parse_request(received_.view(), target_);
  if (!is_complete(outcome)) return false;
  received_.consume(outcome.consumed);
  connection_.on_request(protocol(), target_.host.text, target_.port);
  if (pending_denial_) {
    refuse(kind_of(pending_denial_->reason));
  } else if (!connection_.enter_user_limit()) {
    refuse(RefusalKind::too_many);
  } else {
    step_ = Step::admitting;
    connection_.gate().admit({.protocol = protocol(), .host = target_.host.text, .port = target_.port});
  }
  return false;
}

void SocksStage::on_admitted(const plugin::Location& location) noexcept {
  if (target_.command == socks::Command::udp_associate) return associate(location);
  step_ = Step::dialing;
  connection_.stop_timeout();  // the way out has its own
  location_ = location;
  way_out_ =
      connection_.begin_way_out({.host = target_.host, .port = target_.port, .location = location_}, *this);
}

void SocksStage::associate(const plugin::Location& location) {
  constexpr std::size_t most_exits = 3;
  std::vector<ExitRef> tried;
  RefusalKind why_not = RefusalKind::no_such_location;
  while (tried.size() < most_exits) {
    ExitRef exit = connection_.choose_exit(location, ExitUse::udp, tried);
    if (exit == nullptr) break;
    auto association = std::make_unique<UdpAssociation>(connection_, exit, target_.client);
    const auto bound = association->open();
    if (bound) {
      connection_.established(*exit);
      send(socks::ReplyBytes(socks::Reply::succeeded, *bound).view());
      if (!connection_.is_closed()) connection_.become(std::move(association));
      return;
    }
    why_not = kind_of(association->failure());
    if (association->failure() != DialFailure::exit_failed) break;
    connection_.note_failure(*exit, "its source_address cannot be used");
    tried.push_back(std::move(exit));
  }
  connection_.gate().dial_failed();
  refuse(why_not);
}

void SocksStage::on_way_open(OpenWay way) noexcept {
  Worker& worker = connection_.worker();
  worker.bury(std::move(way_out_));
  // A client is told what it comes from when that is here; where a parent is, is nobody's business.
  const bool is_direct = way.exit->kind() == config::ExitKind::direct;
  const auto bound = is_direct ? local_address(way.fd.get()).value_or(SocketAddress()) : SocketAddress();
  auto target = std::make_unique<Socket>();
  // The tunnel takes the place of this handler before any event can come.
  auto tunnel_target = target.get();
  Buffer answer;
  answer.append(socks::ReplyBytes(socks::Reply::succeeded, bound).view());
  answer.append(way.early.view());
  auto tunnel =
      std::make_unique<Tunnel>(connection_, std::move(target), std::move(received_), std::move(answer));
  if (!tunnel_target->open(worker.base(), std::move(way.fd), *tunnel))
    return on_no_way(DialFailure::exhausted);
  connection_.established(*way.exit);
  connection_.become(std::move(tunnel));
}

void SocksStage::on_no_way(DialFailure failure) noexcept {
  if (way_out_) connection_.worker().bury(std::move(way_out_));
  connection_.gate().dial_failed();
  refuse(kind_of(failure));
}

CutManner SocksStage::on_cut(const plugin::Denial& why) noexcept {
  if (step_ != Step::dialing && step_ != Step::admitting) return CutManner::abort;
  if (way_out_) connection_.worker().bury(std::move(way_out_));
  refuse(kind_of(why.reason));
  return CutManner::farewell;
}

void SocksStage::on_timeout() noexcept {
  connection_.close(step_ == Step::refused ? ConnectionEnd::answered : ConnectionEnd::handshake_timeout);
}

void SocksStage::close() noexcept {
  if (way_out_) connection_.worker().bury(std::move(way_out_));
}

void SocksStage::refuse(RefusalKind kind) {
  connection_.count_refusal(kind);
  finish_with(socks::unbound_reply(row_of(kind).reply));
}

void SocksStage::finish_with(std::string_view answer) {
  step_ = Step::refused;
  received_.clear();
  if (!answer.empty()) send(answer);
  if (connection_.is_closed()) return;
  connection_.client().shut_down_writing();
  connection_.set_timeout(linger_time);
}

void SocksStage::send(std::string_view bytes) {
  const auto sent = connection_.answer_passage().write(connection_.client(), bytes);
  if (sent.outcome != Socket::Outcome::some || sent.count != bytes.size())
    connection_.close(ConnectionEnd::failed);
}

}  // namespace payg::proxy
