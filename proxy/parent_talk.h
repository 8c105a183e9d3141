#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/buffer.h"
#include "proxy/dial.h"
#include "proxy/exit.h"
#include "proxy/http/connect_client.h"
#include "proxy/socks/socks5_client.h"

namespace payg::proxy {

/// Whose fault it is that there is no way.
enum class Blame {
  nobody,  ///< the exit was not asked for the target: the name was not resolved, the guard said no, ...
  target,  ///< as far as anybody can tell: the exit was asked, and did not get there
  exit,
};

struct WayFailure {
  DialFailure failure = DialFailure::unreachable;
  Blame blame = Blame::nobody;
  std::string why{};  ///< for the operator's log: one line, no secrets
};

/// What an HTTP parent is told of the proxies that a request has come through.
struct ViaOfRequest {
  std::string_view pseudonym;   ///< this proxy's
  std::string_view received{};  ///< what the client brought; empty: nothing
};

/// What is said to a parent proxy on one connection until it is a way to the target: CONNECT to an HTTP
/// proxy; greeting, credentials and CONNECT to a SOCKS5 server. Bytes in, bytes out; no socket.
class ParentTalk {
 public:
  enum class Progress { needs_more, open, failed };

  /// `host` nullptr: only what comes before a target is named; `open` means that the parent would take one.
  /// Exit, host and what `via` points to outlive the talk.
  ParentTalk(const Exit& exit, const TargetHost* host, std::uint16_t port, const ViaOfRequest& via);

  /// What is to be sent; the caller takes away what was.
  std::string& unsent() noexcept { return unsent_; }
  /// Reads and consumes what has come. When `open`, what is left in the buffer are the target's first bytes.
  Progress read(Buffer& received);
  /// A target was named: when nothing comes from here on, it may be the target that is silent.
  bool has_asked() const noexcept { return step_ == Step::asked; }
  /// REQUIRES: failed.
  const WayFailure& failure() const noexcept { return failure_; }

 private:
  enum class Step { method, credentials, asked };

  void ask();
  Progress read_connect_answer(Buffer& received);
  Progress read_method(Buffer& received);
  Progress read_credentials_status(Buffer& received);
  Progress read_reply(Buffer& received);
  /// Behind the greeting.
  Progress go_on();
  Progress judge(http::ConnectVerdict verdict, unsigned status);
  Progress fail_exit(std::string why);
  Progress fail_target(DialFailure failure);

  const Exit& exit_;
  const TargetHost* const host_;
  const std::uint16_t port_;
  const ViaOfRequest via_;
  std::string unsent_;
  Step step_ = Step::method;
  http::ConnectAnswerParser answer_;
  WayFailure failure_;
};

}  // namespace payg::proxy
