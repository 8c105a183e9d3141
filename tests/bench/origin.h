#pragma once

#include <sys/types.h>

#include "plugin/base/address.h"

namespace payg::bench {

/// The server that everything is fetched from: a process of its own, so that its time is neither the proxy's
/// nor the load's. It answers `GET /small` (small_body_bytes), `GET /bulk/N` (N bytes) and `GET /drip` (a few
/// bytes every millisecond, without end) on any number of keep-alive connections. It dies with its parent.
class Origin {
 public:
  static constexpr std::size_t small_body_bytes = 128;

  /// Forks; to be made before the first thread. Throws std::runtime_error when it cannot listen.
  Origin();
  ~Origin();
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  const SocketAddress& address() const { return address_; }

 private:
  SocketAddress address_;
  pid_t pid_;
};

}  // namespace payg::bench
