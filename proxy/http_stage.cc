#include "proxy/http_stage.h"

#include "proxy/http/basic_credentials.h"
#include "proxy/tunnel.h"
#include "proxy/worker.h"

namespace payg::proxy {
namespace {

constexpr std::size_t head_read_bytes = 4096;

}  // namespace

HttpStage::HttpStage(Connection& connection, Buffer received)
    : connection_(connection),
      reader_(connection.worker().head_scratch(), std::move(received)),
      last_activity_(connection.worker().now()) {}

void HttpStage::on_client_ready() noexcept {
  last_activity_ = connection_.worker().now();
  // A client that is gone while it waits: nobody is there to be served, and nothing would be read that tells.
  const bool waiting = phase_ == Phase::asking || phase_ == Phase::dialing;
  if (waiting && connection_.client().is_reset()) return connection_.close(ConnectionEnd::client_reset);
  advance();
}

void HttpStage::on_ready(Socket&) noexcept {
  last_activity_ = connection_.worker().now();
  // A kept origin that says something unasked, or closes, is of no more use.
  if (phase_ != Phase::exchanging) {
    if (origin_ && origin_->socket->has_news()) drop_origin();
    return;
  }
  advance();
}

void HttpStage::enter(Phase phase) {
  phase_ = phase;
  const Settings& settings = connection_.worker().settings();
  switch (phase) {
    case Phase::reading_head:
      head_timer_ = reader_.received().empty() ? HeadTimer::idle : HeadTimer::running;
      connection_.set_timeout(reader_.received().empty() ? settings.idle_timeout
                                                         : settings.handshake_timeout);
      break;
    case Phase::asking: connection_.set_timeout(settings.handshake_timeout); break;
    case Phase::dialing: connection_.stop_timeout(); break;  // the way out has its own
    case Phase::exchanging: connection_.set_timeout(settings.idle_timeout); break;
    case Phase::refused: {
      const bool closes = request_.persistence == http::Persistence::close;
      connection_.set_timeout(closes ? linger_time : settings.idle_timeout);
      break;
    }
    case Phase::lingering: connection_.set_timeout(linger_time); break;
  }
}

void HttpStage::advance() noexcept {
  // An answer that a plugin gives within the call comes back here; the loop below goes on with it, so that a
  // thousand pipelined requests do not stand on the stack.
  if (advancing_) return;
  advancing_ = true;
  for (bool more = true; more && !connection_.is_closed();) {
    switch (phase_) {
      case Phase::reading_head: more = read_head(); break;
      case Phase::asking:
      case Phase::dialing: more = false; break;
      case Phase::exchanging: more = run_exchange(); break;
      case Phase::refused: more = discard_body(); break;
      case Phase::lingering:
        discard_until_end();
        more = false;
        break;
    }
  }
  advancing_ = false;
}

// ---- reading_head

bool HttpStage::read_head() {
  switch (reader_.read(connection_.client())) {
    case RequestReader::Outcome::incomplete:
      if (head_timer_ == HeadTimer::idle && !reader_.received().empty()) enter(Phase::reading_head);
      return false;
    case RequestReader::Outcome::complete: begin_request(); return true;
    case RequestReader::Outcome::refused:
      request_ = {};
      refuse(reader_.violation());
      return true;
    case RequestReader::Outcome::ended: connection_.close(ConnectionEnd::client_closed); return false;
  }
  return false;
}

void HttpStage::begin_request() {
  Worker& worker = connection_.worker();
  worker.counters().http_requests_total.fetch_add(1, std::memory_order_relaxed);
  const http::RequestHead& head = reader_.head();
  request_ = ExchangeRequest::of(head);
  expects_continue_ = http::expects_continue(head);

  const auto framing = http::request_framing(head);
  if (!framing.ok()) {
    request_.persistence = http::Persistence::close;  // nobody knows where the next request begins
    return refuse(framing.error());
  }
  request_.framing = framing.value();
  if (const auto violation = http::parse_target(head, target_)) {
    request_.persistence = http::Persistence::close;
    return refuse(*violation);
  }
  if (http::has_via(head.fields, worker.settings().pseudonym)) return refuse(RefusalKind::loop);
  authenticate();
}

// ---- asking, dialing

void HttpStage::authenticate() {
  enter(Phase::asking);
  const auto credentials = http::proxy_credentials(reader_.head());
  sockaddr_storage client;
  connection_.peer().to(client);
  connection_.on_request(protocol(), target_.host.text, target_.port);
  connection_.gate().authenticate(
      {.connection = {},
       .protocol = protocol(),
       .client = reinterpret_cast<const sockaddr*>(&client),
       .has_credentials = reader_.head().fields.count(http::FieldName::proxy_authorization) != 0,
       .name = credentials ? std::string_view(credentials->name) : std::string_view(),
       .password = credentials ? std::string_view(credentials->password) : std::string_view()});
}

void HttpStage::on_authenticated() noexcept {
  if (!connection_.enter_user_limit()) {
    refuse(RefusalKind::too_many);
  } else if (!answer_here()) {
    connection_.gate().admit({.protocol = protocol(), .host = target_.host.text, .port = target_.port});
    return;  // whoever answered has gone on already
  }
  advance();
}

bool HttpStage::answer_here() {
  if (!http::forwards_used_up(reader_.head())) return false;
  if (request_.method == http::Method::options) {
    std::string bytes;
    const auto persistence = persistence_behind_refusal();
    http::append_own_options(bytes, persistence);
    answer_and_discard(bytes, persistence);
  } else {
    refuse(
        http::Violation{.status = http::Status::method_not_allowed, .detail = "TRACE is not answered here"});
  }
  return true;
}

void HttpStage::on_denied(const plugin::Denial& denial) noexcept {
  refuse(kind_of(denial.reason), &denial);
  advance();
}

void HttpStage::on_admitted(const plugin::Location& location) noexcept {
  location_ = location;
  if (can_reuse_origin()) {
    connection_.established(*origin_->exit);
    begin_exchange();
  } else {
    dial();
  }
  advance();
}

bool HttpStage::can_reuse_origin() const {
  return origin_ && request_.method != http::Method::connect && origin_->port == target_.port &&
         origin_->host == target_.host.text && origin_->exit == connection_.choose_exit(location_) &&
         !origin_->socket->has_news();
}

void HttpStage::drop_origin() noexcept {
  if (!origin_) return;
  origin_->socket->close();
  connection_.worker().bury(std::move(origin_));
}

void HttpStage::dial() {
  drop_origin();
  enter(Phase::dialing);
  way_out_ = connection_.begin_way_out({.host = target_.host,
                                        .port = target_.port,
                                        .location = location_,
                                        .received_via = http::joined_via(reader_.head().fields)},
                                       *this);
}

void HttpStage::on_way_open(OpenWay way) noexcept {
  Worker& worker = connection_.worker();
  worker.bury(std::move(way_out_));
  auto origin = std::make_unique<OriginConnection>();
  origin->host = target_.host.text;
  origin->port = target_.port;
  origin->exit = std::move(way.exit);
  origin->received = std::move(way.early);
  if (!origin->socket->open(worker.base(), std::move(way.fd), *this))
    return on_no_way(DialFailure::exhausted);
  connection_.established(*origin->exit);
  last_activity_ = worker.now();

  if (request_.method == http::Method::connect) {
    std::string answer;
    http::append_tunnel_established(answer, worker.settings().pseudonym);
    unsent_.append(answer);
    unsent_.append(origin->received.view());
    reader_.forget_head();
    return become_tunnel(std::move(origin), std::move(reader_.received()), std::move(unsent_));
  }
  origin_ = std::move(origin);
  begin_exchange();
  advance();
}

void HttpStage::on_no_way(DialFailure failure) noexcept {
  if (way_out_) connection_.worker().bury(std::move(way_out_));
  connection_.gate().dial_failed();
  refuse(kind_of(failure));
  advance();
}

// ---- exchanging

void HttpStage::begin_exchange() {
  std::string bytes;
  http::append_request_head(bytes, reader_.head(),
                            {.target = target_,
                             .framing = request_.framing,
                             .pseudonym = connection_.worker().settings().pseudonym,
                             .upgrade = request_.upgrade});
  origin_->unsent.append(bytes);
  origin_->parser.reset();
  // The head of a request without a body stays until it is answered: it may have to be sent again.
  if (request_.has_body()) reader_.forget_head();
  exchange_.emplace(connection_, client_side(), *origin_, request_);
  enter(Phase::exchanging);
}

bool HttpStage::run_exchange() {
  const auto progress = exchange_->run();
  if (progress == Exchange::Progress::running) return false;
  const bool origin_reusable = exchange_->origin_reusable();
  exchange_->drop();
  exchange_.reset();
  switch (progress) {
    case Exchange::Progress::running: return false;
    case Exchange::Progress::answered_keep:
      if (!origin_reusable) drop_origin();
      end_request();
      return true;
    case Exchange::Progress::answered_close:
    case Exchange::Progress::cut_short:
      drop_origin();
      reader_.forget_head();
      linger();
      return true;
    case Exchange::Progress::upgraded: {
      reader_.forget_head();
      Buffer to_client = std::move(unsent_);
      to_client.append(origin_->received.view());
      origin_->received.clear();
      Buffer to_target = std::move(origin_->unsent);
      to_target.append(reader_.received().view());
      reader_.received().clear();
      become_tunnel(std::move(origin_), std::move(to_target), std::move(to_client));
      return false;
    }
    case Exchange::Progress::retry: dial(); return false;
    case Exchange::Progress::bad_request:
      drop_origin();
      request_.persistence = http::Persistence::close;
      refuse(http::Violation{.status = http::Status::bad_request,
                             .detail = "the request's chunked body is malformed"});
      return true;
    case Exchange::Progress::bad_response:
    case Exchange::Progress::no_response:
      drop_origin();
      // What is left of the request's body was meant for the origin; nobody counted where it ends.
      if (request_.has_body()) request_.persistence = http::Persistence::close;
      refuse(progress == Exchange::Progress::bad_response ? RefusalKind::bad_response
                                                          : RefusalKind::incomplete);
      return true;
    case Exchange::Progress::broken: connection_.abort(ConnectionEnd::client_reset); return false;
  }
  return false;
}

void HttpStage::end_request() {
  reader_.forget_head();
  reader_.expect_next();
  if (connection_.worker().draining()) return linger();
  enter(Phase::reading_head);
}

void HttpStage::become_tunnel(std::unique_ptr<OriginConnection> origin, Buffer to_target, Buffer to_client) {
  connection_.become(std::make_unique<Tunnel>(connection_, std::move(origin->socket), std::move(to_target),
                                              std::move(to_client)));
}

// ---- refused, lingering

void HttpStage::refuse(RefusalKind kind, const plugin::Denial* denial) {
  connection_.count_refusal(kind);
  send_refusal(refusal_of(kind, denial), persistence_behind_refusal());
}

void HttpStage::refuse(const http::Violation& violation) {
  connection_.count_refusal(RefusalKind::bad_request);
  send_refusal(http::refusal_of(violation), persistence_behind_refusal());
}

http::Persistence HttpStage::persistence_behind_refusal() const noexcept {
  // Who expects 100 may or may not send its body after a refusal, and a body that is too long is not waited
  // for.
  const bool body_is_bearable =
      !request_.has_body() || (!expects_continue_ && BodyDiscard::is_worth_it(request_.framing));
  const bool keep = request_.persistence == http::Persistence::keep_alive && body_is_bearable &&
                    !connection_.worker().draining();
  return keep ? http::Persistence::keep_alive : http::Persistence::close;
}

void HttpStage::send_refusal(const http::Refusal& refusal, http::Persistence persistence) {
  std::string bytes;
  // A head that was consumed, or never parsed, does not say what its sender would like to read.
  const bool head_is_there = reader_.has_head();
  http::append_refusal(
      bytes, refusal,
      {.method = request_.method,
       .accept = head_is_there ? reader_.head().fields.first(http::FieldName::accept) : std::string_view(),
       .persistence = persistence,
       .now = connection_.worker().wall_now()});
  answer_and_discard(bytes, persistence);
}

void HttpStage::answer_and_discard(std::string_view answer, http::Persistence persistence) {
  ahead_of_answer_ = unsent_.empty() ? Ahead::nothing : Ahead::relayed_bytes;
  unsent_.append(answer);
  reader_.forget_head();
  request_.persistence = persistence;
  discard_ = BodyDiscard(request_.framing);
  enter(Phase::refused);
}

bool HttpStage::discard_body() {
  switch (flush_answer()) {
    case FlushOutcome::all: break;
    case FlushOutcome::waiting: return false;
    case FlushOutcome::failed: connection_.close(ConnectionEnd::client_reset); return false;
  }
  if (request_.persistence == http::Persistence::close) {
    linger();
    return true;
  }
  for (;;) {
    switch (discard_.take_from(reader_.received())) {
      case BodyDiscard::Progress::done: end_request(); return true;
      case BodyDiscard::Progress::hopeless: linger(); return true;
      case BodyDiscard::Progress::need_more: break;
    }
    if (!connection_.client().readable()) return false;
    const auto got = connection_.client().read(reader_.received().writable(head_read_bytes));
    if (got.outcome == Socket::Outcome::blocked) return false;
    if (got.outcome != Socket::Outcome::some) {
      connection_.close(ConnectionEnd::client_closed);
      return false;
    }
    reader_.received().commit(got.count);
  }
}

void HttpStage::linger() {
  drop_origin();
  reader_.received().clear();
  if (flush_answer() == FlushOutcome::failed) return connection_.close(ConnectionEnd::client_reset);
  if (unsent_.empty()) connection_.client().shut_down_writing();
  enter(Phase::lingering);
}

void HttpStage::discard_until_end() {
  if (!unsent_.empty()) {
    if (flush_answer() == FlushOutcome::failed) return connection_.close(ConnectionEnd::client_reset);
    if (!unsent_.empty()) return;  // the client's end may be there, but it has not got ours
    connection_.client().shut_down_writing();
  }
  const auto scratch = connection_.worker().resources().scratch;
  if (connection_.client().discard(scratch) == Socket::Discarded::all)
    connection_.close(ConnectionEnd::answered);
}

// ---- ends

void HttpStage::on_timeout() noexcept {
  switch (phase_) {
    case Phase::reading_head:
      if (reader_.received().empty()) return connection_.close(ConnectionEnd::idle_timeout);
      request_ = {};
      refuse(RefusalKind::head_timeout);
      return advance();
    case Phase::asking:
      connection_.gate().close();
      request_.persistence = http::Persistence::close;
      refuse(RefusalKind::unavailable);
      return advance();
    case Phase::exchanging: {
      const auto limit = connection_.worker().settings().idle_timeout;
      const auto idle =
          std::chrono::floor<std::chrono::milliseconds>(connection_.worker().now() - last_activity_);
      if (idle < limit) return connection_.set_timeout(limit - idle);
      if (exchange_->has_begun_answer()) return connection_.abort(ConnectionEnd::idle_timeout);
      exchange_->drop();
      exchange_.reset();
      drop_origin();
      request_.persistence = http::Persistence::close;
      refuse(RefusalKind::response_timeout);
      return advance();
    }
    case Phase::dialing:
    case Phase::refused:
    case Phase::lingering: return connection_.close(ConnectionEnd::answered);
  }
}

void HttpStage::on_drain() noexcept {
  if (phase_ != Phase::reading_head) return;
  if (connection_.client().readable()) advance();  // a request may be waiting
  if (phase_ == Phase::reading_head && reader_.received().empty()) connection_.close(ConnectionEnd::stopped);
}

CutManner HttpStage::on_cut(const plugin::Denial& why) noexcept {
  // What the kernel holds of a request that was paid no more is not delivered either.
  if (origin_) origin_->socket->abort();
  const bool waits_for_answer = phase_ == Phase::asking || phase_ == Phase::dialing ||
                                (phase_ == Phase::exchanging && !exchange_->has_begun_answer());
  // An earlier answer that is still on its way to a slow reader must not flow on.
  const bool is_flushed = unsent_.empty() && !connection_.client().has_unsent_bytes();
  if (!waits_for_answer || !is_flushed) return CutManner::abort;
  if (way_out_) connection_.worker().bury(std::move(way_out_));
  if (exchange_) {
    exchange_->drop();
    exchange_.reset();
  }
  drop_origin();
  request_.persistence = http::Persistence::close;
  refuse(kind_of(why.reason), &why);
  advance();
  return CutManner::farewell;
}

void HttpStage::close() noexcept {
  if (way_out_) connection_.worker().bury(std::move(way_out_));
  if (exchange_) exchange_->drop();
  if (origin_) origin_->socket->close();
  reader_.let_go_of_scratch();
}

}  // namespace payg::proxy
