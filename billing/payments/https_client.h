#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.h"

namespace payg::billing {

/// One request to a server elsewhere.
struct HttpsRequest {
  enum class Method { get, post };
  Method method = Method::get;
  std::string url;                    ///< see HttpsClient::may_ask
  std::vector<std::string> fields{};  ///< "Name: value" each
  std::string body{};                 ///< of a post
};

/// Whatever its status says: the server has answered.
struct HttpsAnswer {
  int status = 0;
  std::string body;
};

struct HttpsError {
  enum class Code {
    not_allowed,  ///< the URL is none, or one that may not be asked
    busy,         ///< as many requests are under way as there may be
    stopped,      ///< stop() was called: what came of the request is unknown
    unreachable,  ///< no connection
    untrusted,    ///< TLS: no certificate that this machine trusts for that name, or no handshake
    timed_out,    ///< what came of the request is unknown, as with the next two
    too_large,    ///< the answer, its head or its body
    broken,       ///< the connection ended in the middle, or what came is no HTTP
  };
  Code code = Code::broken;
  std::string message;  ///< one line, for the log; no secrets
};

/// Asks servers of others by HTTPS, on a thread of its own (libcurl's multi interface): any number of
/// callers, and none of them waits. Certificates are always verified, no redirect is followed, no proxy of
/// the environment is used, connections are kept for the next request. Any thread.
class HttpsClient {
 public:
  struct Limits {
    std::chrono::milliseconds whole{10'000};   ///< from send() to the last byte of the answer
    std::chrono::milliseconds connect{5'000};  ///< name, connection and TLS
    std::size_t answer_bytes = 65'536;         ///< of a body, and of a head as well
    std::size_t under_way = 64;
  };
  /// Runs on the client's thread, once for each request that was taken. Must neither block nor throw.
  using OnDone = std::function<void(Result<HttpsAnswer, HttpsError>)>;

  /// Throws std::runtime_error when libcurl has no memory (start-up only).
  HttpsClient();
  explicit HttpsClient(Limits limits);
  /// Calls stop().
  ~HttpsClient();
  HttpsClient(const HttpsClient&) = delete;
  HttpsClient& operator=(const HttpsClient&) = delete;

  /// Never blocks. The error is not_allowed, busy or stopped: on_done is not kept then and will not run.
  [[nodiscard]] Result<Done, HttpsError> send(HttpsRequest request, OnDone on_done);

  /// Answers what is under way as stopped, and ends the thread. Calling it again does nothing. Not on the
  /// client's own thread.
  void stop();

  /// An https URL; or an http one whose host is localhost or a loopback literal. Without user information.
  static bool may_ask(const std::string& url);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

std::string_view name_of(HttpsError::Code code) noexcept;

}  // namespace payg::billing
