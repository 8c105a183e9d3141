#include "tests/support/harness/udp_end.h"

#include <poll.h>
#include <sys/socket.h>

#include "tests/support/harness/patience.h"
#include "tests/support/harness/stream.h"

namespace payg::test {

UdpEnd::UdpEnd(std::string_view address) : UdpEnd(SocketAddress(IpAddress::parse(address).value(), 0)) {}

UdpEnd::UdpEnd(const SocketAddress& address) {
  socket_.reset(::socket(address.ip().is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage;
  const socklen_t length = address.to(storage);
  if (bind(socket_.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0)
    throw HarnessError("cannot bind to " + address.to_string());
  address_ = local_address(socket_.get()).value();
}

void UdpEnd::send_to(const SocketAddress& to, std::string_view bytes) const {
  sockaddr_storage storage;
  const socklen_t length = to.to(storage);
  const auto sent =
      sendto(socket_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&storage), length);
  if (sent != std::ssize(bytes)) throw HarnessError("a datagram was not sent");
}

UdpEnd::Arrived UdpEnd::receive() const {
  pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(patience);
  if (poll(&readable, 1, static_cast<int>(limit.count())) != 1)
    throw HarnessError("no datagram came in time");
  return receive_now().value();
}

std::optional<UdpEnd::Arrived> UdpEnd::receive_now() const {
  std::string bytes(65536, '\0');
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  auto* const from = reinterpret_cast<sockaddr*>(&storage);
  const auto count = recvfrom(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT, from, &length);
  if (count < 0) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(count));
  return Arrived{std::move(bytes), SocketAddress::from(from).value()};
}

}  // namespace payg::test
