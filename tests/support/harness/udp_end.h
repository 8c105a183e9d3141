#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plugin/base/address.h"
#include "plugin/base/unique_fd.h"

namespace payg::test {

/// A UDP socket, for clients and for origins. Receiving gives up with a HarnessError after `patience`. One
/// thread.
class UdpEnd {
 public:
  struct Arrived {
    std::string bytes;
    SocketAddress from;
  };

  /// Bound to a free port of this address.
  explicit UdpEnd(std::string_view address = "127.0.0.1");
  /// Throws HarnessError when somebody has it.
  explicit UdpEnd(const SocketAddress& address);

  const SocketAddress& address() const { return address_; }
  void send_to(const SocketAddress& to, std::string_view bytes) const;
  Arrived receive() const;
  /// What has arrived already; nullopt: nothing.
  std::optional<Arrived> receive_now() const;

 private:
  UniqueFd socket_;
  SocketAddress address_;
};

}  // namespace payg::test
