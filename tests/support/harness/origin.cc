#include "tests/support/harness/origin.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>

#include "tests/support/harness/patience.h"
#include "tests/support/harness/pattern.h"

namespace payg::test {

bool OriginConnection::read_request_head() {
  if (stream_.at_end()) return false;
  request_ =
      RecordedRequest{.head = parse_head(stream_.read_until("\r\n\r\n")), .body = {}, .connection = number_};
  origin_.record(request_);
  return true;
}

bool OriginConnection::read_request() {
  if (stream_.at_end()) return false;
  request_ =
      RecordedRequest{.head = parse_head(stream_.read_until("\r\n\r\n")), .body = {}, .connection = number_};
  if (request_.head.has("Transfer-Encoding")) {
    request_.body = read_chunked_body(stream_);
  } else if (const auto length = request_.head.field("Content-Length")) {
    request_.body = read_sized_body(stream_, std::stoul(*length));
  }
  origin_.record(request_);
  return true;
}

void OriginConnection::send_pattern(std::uint64_t length) {
  for (std::uint64_t sent = 0; sent < length;) {
    const auto piece =
        Pattern::at(sent, static_cast<std::size_t>(std::min<std::uint64_t>(length - sent, 262'144)));
    send(piece);
    sent += piece.size();
  }
}

void OriginConnection::close() {
  const std::lock_guard lock(origin_.mutex_);  // the origin may be ending all connections at this moment
  stream_.close();
}

void OriginConnection::reset() {
  const std::lock_guard lock(origin_.mutex_);
  stream_.reset();
}

Origin::Origin(Script script, std::string_view address)
    : script_(std::move(script)), listener_(listen_on(parse_address(address))) {
  address_ = local_address(listener_.get()).value();
  acceptor_ = std::thread([this] { accept_all(); });
}

Origin::~Origin() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    for (const auto& each : connections_) {
      if (each.number() > 0) const_cast<OriginConnection&>(each).stream().interrupt();
    }
  }
  acceptor_.join();
  for (auto& each : threads_) each.join();
}

std::string Origin::url(std::string_view path) const {
  return "http://" + authority() + std::string(path);
}

void Origin::accept_all() {
  for (;;) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (!socket) continue;
    OriginConnection& connection =
        connections_.emplace_back(*this, std::move(socket), static_cast<int>(connections_.size()) + 1);
    threads_.emplace_back([this, &connection] { serve(connection); });
  }
}

void Origin::serve(OriginConnection& connection) {
  try {
    script_(connection);
  } catch (const HarnessError&) {
    // The other side left in the middle: what reached the test is what counts.
  }
  connection.close();
}

void Origin::record(const RecordedRequest& request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(request);
  recorded_.notify_all();
}

int Origin::connections() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(connections_.size());
}

std::vector<RecordedRequest> Origin::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<RecordedRequest> Origin::wait_for_requests(std::size_t count) const {
  std::unique_lock lock(mutex_);
  if (!recorded_.wait_for(lock, patience, [&] { return requests_.size() >= count; })) {
    throw HarnessError("only " + std::to_string(requests_.size()) + " of " + std::to_string(count) +
                       " requests reached the origin");
  }
  return requests_;
}

namespace scripts {

Origin::Script answer(std::string response) {
  return [response = std::move(response)](OriginConnection& connection) {
    while (connection.read_request()) connection.send(response);
  };
}

Origin::Script answer_ok(std::string content) {
  return [content = std::move(content)](OriginConnection& connection) {
    while (connection.read_request()) {
      const bool head_only = connection.request().head.start_line.starts_with("HEAD ");
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" +
                      (head_only ? "" : content));
    }
  };
}

Origin::Script answer_and_close(std::string response) {
  return [response = std::move(response)](OriginConnection& connection) {
    if (connection.read_request()) connection.send(response);
  };
}

Origin::Script echo() {
  return [](OriginConnection& connection) {
    for (auto bytes = connection.stream().read_some(); !bytes.empty();
         bytes = connection.stream().read_some()) {
      connection.send(bytes);
    }
    connection.stream().finish_sending();
  };
}

Origin::Script pattern_download(std::uint64_t length) {
  return [length](OriginConnection& connection) {
    if (!connection.read_request()) return;
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n");
    connection.send_pattern(length);
    connection.stream().read_to_end();
  };
}

Origin::Script pattern_stream(std::uint64_t length) {
  return [length](OriginConnection& connection) { connection.send_pattern(length); };
}

}  // namespace scripts

BlackHole::BlackHole(const SocketAddress& address) : listener_(listen_on(address, 0)) {
  address_ = local_address(listener_.get()).value();
  sockaddr_storage name{};
  const socklen_t length = address_.to(name);
  for (int i = 0; i < 8; ++i) {
    UniqueFd socket(::socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), length);
    queue_.push_back(std::move(socket));
  }
}

ClosedPort::ClosedPort(std::string_view address) {
  sockaddr_storage name{};
  const socklen_t length = parse_address(address).to(name);
  socket_.reset(::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&name), length) != 0) {
    throw HarnessError("cannot bind " + std::string(address));
  }
  address_ = local_address(socket_.get()).value();
}

}  // namespace payg::test
