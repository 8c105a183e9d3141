#include "proxy/exchange.h"

#include "proxy/worker.h"

namespace payg::proxy {
namespace {

// An origin that sends more interim responses than this is not making progress.
constexpr unsigned most_interim_responses = 32;
constexpr std::size_t head_read_bytes = 16 * 1024;

}  // namespace

ExchangeRequest ExchangeRequest::of(const http::RequestHead& head) noexcept {
  const bool keep = http::allows_keep_alive(head);
  return {
      .method = head.method,
      .version = head.version,
      .framing = {},
      .persistence = keep ? http::Persistence::keep_alive : http::Persistence::close,
      .upgrade = http::wants_upgrade(head) ? http::UpgradeHandling::pass_on : http::UpgradeHandling::strip};
}

Exchange::Exchange(Connection& connection, MessageSide client, OriginConnection& origin,
                   const ExchangeRequest& request)
    : connection_(connection),
      client_(client),
      origin_(origin),
      request_(request),
      request_body_(request.framing, request.framing) {}

void Exchange::drop() {
  PipePool& pipes = connection_.worker().resources().pipes;
  request_body_.drop(pipes);
  response_body_.drop(pipes);
}

Exchange::Progress Exchange::run() {
  // Behind its request nothing is read of the client, so that it is gone has to be asked for; one that only
  // ended may be waiting still.
  const bool reads_client = request_state_ == RequestState::sending;
  if (!reads_client && client_.socket.readable() && client_.socket.is_reset()) return Progress::broken;
  const MonotonicTime now = connection_.worker().now();
  Passage down = connection_.down_passage(now);
  if (!down.open()) return Progress::running;  // held: of a head nothing is read either
  const bool response_first = connection_.order() == Connection::Order::reversed && reads_client;
  if (response_first) {
    if (const auto progress = run_response(down); progress != Progress::running) return progress;
  }
  if (request_state_ == RequestState::sending) {
    Passage up = connection_.up_passage(now);
    if (const auto progress = run_request(up); progress != Progress::running) return progress;
  }
  // What came of the response behind the first look at it tells of itself; but the end of the request may be
  // all that its end has waited for.
  const bool is_still_sending = request_state_ == RequestState::sending;
  return response_first && is_still_sending ? Progress::running : run_response(down);
}

Exchange::Progress Exchange::run_request(Passage& up) {
  RelayResources& resources = connection_.worker().resources();
  switch (request_body_.run(client_, origin_.side(), resources, up)) {
    case BodyRelay::Status::waiting: break;
    case BodyRelay::Status::yielding: client_.socket.ready_again(); break;
    case BodyRelay::Status::done: request_state_ = RequestState::sent; break;
    case BodyRelay::Status::cut_short: return Progress::broken;
    case BodyRelay::Status::malformed:
      return response_ == Response::head ? Progress::bad_request : Progress::broken;
    case BodyRelay::Status::sink_failed:
      request_body_.drop(resources.pipes);
      request_state_ = RequestState::abandoned;
      break;
  }
  return Progress::running;
}

Exchange::Progress Exchange::run_response(Passage& down) {
  if (response_ == Response::head) {
    // An interim response that the client did not take at once.
    if (flush(client_, down) == FlushOutcome::failed) return Progress::broken;
    if (const auto progress = read_response_head(down); progress != Progress::running) return progress;
    if (response_ == Response::head) return Progress::running;
  }
  switch (response_body_.run(origin_.side(), client_, connection_.worker().resources(), down)) {
    case BodyRelay::Status::waiting: return Progress::running;
    case BodyRelay::Status::yielding: origin_.socket->ready_again(); return Progress::running;
    case BodyRelay::Status::done: return finish();
    case BodyRelay::Status::cut_short:
    case BodyRelay::Status::malformed: return ends_with_connection_ ? Progress::broken : Progress::cut_short;
    case BodyRelay::Status::sink_failed: return Progress::broken;
  }
  return Progress::broken;
}

Exchange::Progress Exchange::read_response_head(Passage& down) {
  http::ResponseHead& head = connection_.worker().head_scratch().response;
  while (response_ == Response::head) {
    if (!origin_.received.empty()) {
      const auto outcome = origin_.parser.parse(origin_.received.view(), head);
      if (outcome.state == http::ParseState::refused) return Progress::bad_response;
      if (outcome.state == http::ParseState::complete) {
        const auto progress = on_response_head(head, down);
        origin_.received.consume(outcome.consumed);
        if (progress != Progress::running) return progress;
        continue;
      }
    }
    if (!origin_.socket->readable()) return Progress::running;
    const auto got = origin_.socket->read(origin_.received.writable(head_read_bytes));
    if (got.outcome == Socket::Outcome::blocked) {
      if (origin_.received.empty()) origin_.received.clear();
      return Progress::running;
    }
    if (got.outcome != Socket::Outcome::some) return on_origin_ended();
    origin_.received.commit(got.count);
  }
  return Progress::running;
}

Exchange::Progress Exchange::on_origin_ended() const {
  const bool may_repeat = origin_.answered != 0 && origin_.received.empty() && interim_responses_ == 0 &&
                          http::is_idempotent(request_.method) && !request_.has_body();
  return may_repeat ? Progress::retry : Progress::no_response;
}

Exchange::Progress Exchange::on_interim(const http::ResponseHead& head, Passage& down) {
  if (++interim_responses_ > most_interim_responses) return Progress::bad_response;
  if (request_.version == http::Version::http_1_0) return Progress::running;  // RFC 9110 §15.2
  std::string bytes;
  http::append_response_head(bytes, head,
                             {.request_method = request_.method,
                              .client_version = request_.version,
                              .framing = {},
                              .pseudonym = connection_.worker().settings().pseudonym});
  client_.unsent.append(bytes);
  if (flush(client_, down) == FlushOutcome::failed) return Progress::broken;
  return Progress::running;
}

Exchange::Progress Exchange::on_response_head(const http::ResponseHead& head, Passage& down) {
  constexpr unsigned switching_protocols = 101;
  const bool upgraded = head.status == switching_protocols &&
                        request_.upgrade == http::UpgradeHandling::pass_on &&
                        request_state_ == RequestState::sent;
  if (head.status < 200 && !upgraded) {
    return head.status == switching_protocols ? Progress::bad_response : on_interim(head, down);
  }
  const auto framing = http::response_framing(head, request_.method);
  if (!framing.ok()) return Progress::bad_response;
  const auto framing_out = http::framing_for_client(framing.value(), request_.version);

  // A response that overtakes its request leaves a connection on which nobody knows where the next message
  // begins.
  const bool keep =
      request_.persistence == http::Persistence::keep_alive && request_state_ == RequestState::sent &&
      framing_out.kind != http::BodyFraming::Kind::until_close && !connection_.worker().draining();
  persistence_ = keep ? http::Persistence::keep_alive : http::Persistence::close;
  origin_reusable_ = request_state_ == RequestState::sent && http::allows_keep_alive(head) &&
                     framing->kind != http::BodyFraming::Kind::until_close;

  std::string bytes;
  http::append_response_head(
      bytes, head,
      {.request_method = request_.method,
       .client_version = request_.version,
       .framing = framing_out,
       .pseudonym = connection_.worker().settings().pseudonym,
       .upgrade = upgraded ? http::UpgradeHandling::pass_on : http::UpgradeHandling::strip,
       .persistence = persistence_});
  client_.unsent.append(bytes);
  if (upgraded) return Progress::upgraded;
  ends_with_connection_ = framing_out.kind == http::BodyFraming::Kind::until_close;
  response_body_ = BodyRelay(framing.value(), framing_out);
  response_ = Response::body;
  return Progress::running;
}

Exchange::Progress Exchange::finish() {
  // Bytes behind the response were never asked for.
  if (!origin_.received.empty()) origin_reusable_ = false;
  ++origin_.answered;
  return persistence_ == http::Persistence::keep_alive ? Progress::answered_keep : Progress::answered_close;
}

}  // namespace payg::proxy
