#include "proxy/opening_stage.h"

#include "proxy/http/fields.h"
#include "proxy/http_stage.h"
#include "proxy/proxy_protocol.h"
#include "proxy/socks_stage.h"
#include "proxy/worker.h"

namespace payg::proxy {
namespace {

using namespace std::string_view_literals;

constexpr char socks4 = 0x04;
constexpr char socks5 = 0x05;
constexpr char tls_handshake_record = 0x16;  // RFC 8446 §5.1

bool looks_like_socks(char first) noexcept {
  return first == socks4 || first == socks5;
}

/// Of a connection on which this came instead of what it should have been.
ConnectionEnd end_of(Socket::Transfer came) noexcept {
  switch (came.outcome) {
    case Socket::Outcome::ended: return ConnectionEnd::client_closed;
    case Socket::Outcome::failed: return ConnectionEnd::client_reset;
    default: return ConnectionEnd::failed;
  }
}

/// A method may be any token; an empty line in front of it is forgiven (RFC 9112 §2.2).
bool looks_like_http(char first) noexcept {
  return http::is_token(std::string_view(&first, 1)) || first == '\r' || first == '\n';
}

}  // namespace

void OpeningStage::start() noexcept {
  connection_.set_timeout(connection_.worker().settings().handshake_timeout);
  if (entrance_.is_front(connection_.peer().ip())) {
    step_ = Step::proxy_header;
  } else {
    take_place();
  }
}

void OpeningStage::on_timeout() noexcept {
  if (step_ == Step::answered) return connection_.close(ConnectionEnd::answered);
  connection_.close(connection_.worker().draining() ? ConnectionEnd::stopped
                                                    : ConnectionEnd::handshake_timeout);
}

void OpeningStage::on_drain() noexcept {
  connection_.set_timeout(drain_patience);
}

void OpeningStage::close() noexcept {
  if (handshake_ != Handshake::running) return;
  connection_.worker().counters().tls_failures_total.fetch_add(1, std::memory_order_relaxed);
}

void OpeningStage::take_place() {
  switch (connection_.enter_address_limit()) {
    case ClientAddressLimits::Verdict::admitted: break;
    case ClientAddressLimits::Verdict::refused: standing_ = Standing::one_too_many; break;
    case ClientAddressLimits::Verdict::unheard:
      connection_.count_refusal(RefusalKind::too_many);
      connection_.close(ConnectionEnd::failed);
      break;
  }
}

void OpeningStage::advance() {
  for (bool more = true; more && !connection_.is_closed();) {
    switch (step_) {
      case Step::proxy_header: more = read_proxy_header(); break;
      case Step::transport: more = begin_transport(); break;
      case Step::first_byte: more = read_first_byte(); break;
      case Step::answered: {
        const auto scratch = connection_.worker().resources().scratch;
        if (connection_.client().discard(scratch) == Socket::Discarded::all)
          connection_.close(ConnectionEnd::answered);
        more = false;
        break;
      }
    }
  }
}

bool OpeningStage::read_proxy_header() {
  Socket& client = connection_.client();
  if (!client.readable()) return false;
  const auto scratch = connection_.worker().resources().scratch;
  const auto seen = client.peek(scratch.first(ProxyHeader::most_bytes));
  if (seen.outcome == Socket::Outcome::blocked) return false;

  const std::size_t before = header_.size();
  header_.append({scratch.data(), seen.count});
  const ProxyHeader header = parse_proxy_header(header_.view());
  const bool is_over = seen.outcome != Socket::Outcome::some;
  if (is_over || header.state == ProxyHeader::State::malformed) {
    // A front that looks whether we are there connects and says nothing.
    auto& bad_headers = connection_.worker().counters().bad_proxy_headers_total;
    if (!header_.empty()) bad_headers.fetch_add(1, std::memory_order_relaxed);
    connection_.close(is_over ? end_of(seen) : ConnectionEnd::failed);
    return false;
  }
  // What stands behind the header is for TLS to read, so exactly the header is taken.
  const bool is_complete = header.state == ProxyHeader::State::complete;
  const std::size_t own = is_complete ? header.bytes - before : seen.count;
  static_cast<void>(client.read(scratch.first(own)));
  if (!is_complete) return true;

  header_.clear();
  if (header.client) connection_.set_peer(*header.client);
  step_ = Step::transport;
  take_place();
  return true;
}

bool OpeningStage::begin_transport() {
  if (!entrance_.tls) {
    step_ = Step::first_byte;
    return true;
  }
  Socket& client = connection_.client();
  if (!client.readable()) return false;
  char first;
  const auto seen = client.peek({&first, 1});
  if (seen.outcome == Socket::Outcome::blocked) return false;
  if (seen.outcome == Socket::Outcome::some && first == tls_handshake_record &&
      client.start_tls(*entrance_.tls)) {
    handshake_ = Handshake::running;
    step_ = Step::first_byte;
    return true;
  }
  if (seen.outcome != Socket::Outcome::some || !entrance_.protocols.http || !looks_like_http(first)) {
    connection_.close(end_of(seen));
    return false;
  }
  connection_.count_refusal(RefusalKind::bad_request);
  std::string bytes;
  http::append_refusal(
      bytes,
      http::refusal_of(http::Violation{.status = http::Status::bad_request,
                                       .detail = "this port speaks TLS: connect to it as an HTTPS proxy"}),
      {.now = connection_.worker().wall_now()});
  answer(bytes);
  return true;
}

void OpeningStage::note_handshake() noexcept {
  if (handshake_ != Handshake::running || !connection_.client().has_tls_session()) return;
  handshake_ = Handshake::over;
  connection_.worker().counters().tls_handshakes_total.fetch_add(1, std::memory_order_relaxed);
}

bool OpeningStage::read_first_byte() {
  Socket& client = connection_.client();
  if (!client.readable()) return false;
  const auto scratch = connection_.worker().resources().scratch;
  const auto got = client.read(scratch);
  note_handshake();
  if (got.outcome == Socket::Outcome::blocked) return false;
  if (got.outcome != Socket::Outcome::some) {
    connection_.close(end_of(got));
    return false;
  }
  if (standing_ == Standing::one_too_many) {
    refuse(scratch.front());
    return true;
  }
  Buffer received;
  received.append({scratch.data(), got.count});
  if (!speak(std::move(received))) connection_.close(ConnectionEnd::failed);
  return false;
}

bool OpeningStage::speak(Buffer received) {
  if (looks_like_socks(received.view().front()) && entrance_.protocols.socks5) {
    connection_.become(std::make_unique<SocksStage>(connection_, std::move(received)));
  } else if (entrance_.protocols.http) {
    connection_.become(std::make_unique<HttpStage>(connection_, std::move(received)));
  } else {
    return false;
  }
  return true;
}

void OpeningStage::refuse(char first_byte) {
  connection_.count_refusal(RefusalKind::too_many);
  if (looks_like_socks(first_byte) && entrance_.protocols.socks5) {
    return answer(first_byte == socks5 ? socks::method_selection(socks::Method::unacceptable) : ""sv);
  }
  if (!entrance_.protocols.http) return answer({});
  const plugin::Denial why{
      .reason = plugin::Reason::too_many, .detail = "too many connections from this address", .url = {}};
  std::string bytes;
  http::append_refusal(bytes, refusal_of(RefusalKind::too_many, &why),
                       {.now = connection_.worker().wall_now()});
  answer(bytes);
}

void OpeningStage::answer(std::string_view bytes) {
  step_ = Step::answered;
  // A few hundred bytes into an empty send buffer: they fit, or the client is gone.
  Socket& client = connection_.client();
  if (!bytes.empty() && connection_.answer_passage().write(client, bytes).count != bytes.size()) {
    return connection_.close(ConnectionEnd::client_reset);
  }
  client.shut_down_writing();
  connection_.set_timeout(linger_time);
}

}  // namespace payg::proxy
