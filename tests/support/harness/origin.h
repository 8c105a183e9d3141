#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/harness/http_message.h"
#include "tests/support/harness/stream.h"

namespace payg::test {

class Origin;

/// A request as it reached an origin, to the byte.
struct RecordedRequest {
  HttpHead head;
  HttpBody body;
  int connection = 0;  ///< 1 for the first connection that the origin accepted
};

/// One connection that an origin has accepted, in the hands of its script. The script runs on a thread of its
/// own; when it returns, the connection is closed.
class OriginConnection {
 public:
  OriginConnection(Origin& origin, UniqueFd socket, int number)
      : origin_(origin), stream_(std::move(socket)), number_(number) {}

  /// Reads one request and records it, also when its body ends too early (body.complete is false then).
  /// False: the stream ended instead.
  bool read_request();
  /// Reads the head only, and records it with an empty body.
  bool read_request_head();
  const RecordedRequest& request() const { return request_; }

  Stream& stream() { return stream_; }
  void send(std::string_view bytes) { stream_.send(bytes); }
  /// `length` bytes of Pattern.
  void send_pattern(std::uint64_t length);
  int number() const { return number_; }
  /// The script's way to end the connection before it returns: orderly (or, with bytes unread, by a reset),
  /// or by a reset.
  void close();
  void reset();

 private:
  Origin& origin_;
  Stream stream_;
  RecordedRequest request_;
  int number_;
};

/// A server that does what its script says, and remembers what it was asked.
class Origin {
 public:
  using Script = std::function<void(OriginConnection&)>;

  /// Listens at once. Throws HarnessError when the address cannot be bound.
  explicit Origin(Script script, std::string_view address = "127.0.0.1:0");
  /// Ends all connections and waits for their scripts.
  ~Origin();
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  const SocketAddress& address() const { return address_; }
  /// "127.0.0.1:4711", as a CONNECT or a Host field names it.
  std::string authority() const { return address_.to_string(); }
  /// "http://127.0.0.1:4711" with `path` behind it.
  std::string url(std::string_view path = "/") const;

  int connections() const;
  std::vector<RecordedRequest> requests() const;
  /// Waits until at least `count` requests were recorded and returns them all.
  std::vector<RecordedRequest> wait_for_requests(std::size_t count) const;

 private:
  friend class OriginConnection;
  void accept_all();
  void serve(OriginConnection& connection);
  void record(const RecordedRequest& request);

  Script script_;
  UniqueFd listener_;
  SocketAddress address_;

  mutable std::mutex mutex_;
  mutable std::condition_variable recorded_;
  std::vector<RecordedRequest> requests_;    // guarded by mutex_
  std::list<OriginConnection> connections_;  // guarded by mutex_
  std::vector<std::thread> threads_;         // the accepting thread's until it is joined
  bool stopping_ = false;                    // guarded by mutex_

  std::thread acceptor_;
};

/// Scripts that many tests share.
namespace scripts {

/// Answers every request with `response` as it stands, on a connection that stays open.
Origin::Script answer(std::string response);
/// Answers every request with 200 and this content, Content-Length, on a connection that stays open.
Origin::Script answer_ok(std::string content = "ok");
/// Answers the first request with `response` as it stands and closes.
Origin::Script answer_and_close(std::string response);
/// Sends back what it gets, without looking at it; carries the half-close back too.
Origin::Script echo();
/// Reads one request head and answers it with `length` bytes of Pattern.
Origin::Script pattern_download(std::uint64_t length);
/// Sends `length` bytes of Pattern at once to whoever connects, then closes. No HTTP.
Origin::Script pattern_stream(std::uint64_t length);

}  // namespace scripts

/// Takes connections as far as the kernel does and never answers: new ones get no SYN-ACK, as from a host
/// that is switched off.
class BlackHole {
 public:
  explicit BlackHole(const SocketAddress& address);
  const SocketAddress& address() const { return address_; }

 private:
  UniqueFd listener_;
  SocketAddress address_;
  std::vector<UniqueFd> queue_;  // fills the listener's backlog
};

/// A port that nobody else gets and where nobody listens: connections to it are refused.
class ClosedPort {
 public:
  explicit ClosedPort(std::string_view address = "127.0.0.1:0");
  const SocketAddress& address() const { return address_; }

 private:
  UniqueFd socket_;
  SocketAddress address_;
};

}  // namespace payg::test
