#include "tests/foreign/own_address.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <limits>
#include <sstream>

#include "tests/support/harness/patience.h"
#include "tests/support/harness/stream.h"

namespace payg::test {
namespace {

// Below those that the kernel gives to whoever asks for any port (ip_local_port_range).
constexpr unsigned first_port = 10'000;
constexpr unsigned ports = 20'000;
constexpr int attempts = 3;

bool is_free(const SocketAddress& address) {
  try {
    listen_on(address, 1);
    return true;
  } catch (const HarnessError&) {
    return false;
  }
}

SocketAddress next_free_address() {
  static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 7};
  for (unsigned tried = 0; tried < ports; ++tried) {
    const auto port = static_cast<std::uint16_t>(first_port + next++ % ports);
    const SocketAddress address(own_loopback_address(), port);
    if (is_free(address)) return address;
  }
  throw HarnessError("no port of " + own_loopback_address().to_string() + " is free");
}

}  // namespace

/// Process ids have 22 bits at most (proc(5), pid_max), 127.0.0.0/8 has room for 24. The first quarter stays
/// free: 127.0.0.1 is everybody's.
IpAddress own_loopback_address() {
  const auto process = static_cast<unsigned>(::getpid());
  const std::string literal = "127." + std::to_string(64 + (process >> 16 & 0x3F)) + "." +
                              std::to_string(process >> 8 & 0xFF) + "." + std::to_string(process & 0xFF);
  return IpAddress::parse(literal).value();
}

void start_on_a_free_port(const std::function<void(const SocketAddress&)>& start) {
  for (int attempt = 1;; ++attempt) {
    try {
      return start(next_free_address());
    } catch (const HarnessError&) {
      if (attempt == attempts) throw;
    }
  }
}

/// proc_net_tcp(5): the number of the line, then local and remote address, then the state.
bool is_listened_on(const SocketAddress& address) {
  sockaddr_storage storage;
  address.to(storage);
  const auto& ip = reinterpret_cast<const sockaddr_in&>(storage).sin_addr;
  std::ifstream sockets("/proc/net/tcp");
  sockets.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  for (std::string line; std::getline(sockets, line);) {
    std::istringstream fields(line);
    std::string number;
    std::uint32_t local_ip = 0;
    unsigned port = 0;
    std::string remote;
    std::string state;
    char colon = 0;
    fields >> number >> std::hex >> local_ip >> colon >> port >> remote >> state;
    if (local_ip == ip.s_addr && port == address.port() && state == "0A") return true;
  }
  return false;
}

}  // namespace payg::test
