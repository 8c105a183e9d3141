#pragma once

#include <cstddef>

#include "proxy/buffer.h"
#include "proxy/http/head.h"
#include "proxy/socket.h"

namespace payg::proxy {

struct HeadScratch;

/// Reads the heads of one client's requests, one after the other, and holds what has been read of the client
/// and not used yet. A parsed head lies in memory that all connections of the worker share: when another one
/// has used it meanwhile, the head is parsed once more.
class RequestReader {
 public:
  /// `received`: what the client has sent so far. `scratch` outlives the reader.
  RequestReader(HeadScratch& scratch, Buffer received) noexcept
      : scratch_(scratch), received_(std::move(received)) {}
  ~RequestReader() { let_go_of_scratch(); }
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  enum class Outcome {
    incomplete,  ///< on_ready comes
    complete,    ///< head() is there
    refused,     ///< violation() says why
    ended,       ///< the client has ended or was reset before the head was whole
  };
  /// Reads as much as a head needs. REQUIRES: no head is there.
  Outcome read(Socket& client);
  /// REQUIRES: refused.
  const http::Violation& violation() const noexcept { return violation_; }

  bool has_head() const noexcept { return head_bytes_ != 0; }
  /// Valid until another connection of the worker reads. REQUIRES: has_head().
  const http::RequestHead& head();
  /// Drops the head; what stands behind it stays.
  void forget_head() noexcept;
  /// The next head is another request's.
  void expect_next() noexcept { parser_.reset(); }

  /// What has been read and not used, from the head on while it is there.
  Buffer& received() noexcept { return received_; }
  void let_go_of_scratch() noexcept;

 private:
  HeadScratch& scratch_;
  Buffer received_;
  http::RequestParser parser_;
  http::Violation violation_;
  std::size_t head_bytes_ = 0;  // at the front of received_; 0: none
};

}  // namespace payg::proxy
