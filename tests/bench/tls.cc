#include "tests/bench/tls.h"

#include <functional>
#include <list>
#include <string>

#include "tests/bench/origin.h"
#include "tests/bench/usage.h"
#include "tests/support/harness/http_message.h"
#include "tests/support/harness/patience.h"
#include "tests/support/harness/socks_client.h"

namespace payg::bench {
namespace {

using Clock = std::chrono::steady_clock;
using test::RawClient;
using test::Transport;

LoadResult time_each(std::size_t operations, const std::function<void()>& operation) {
  LoadResult result;
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < operations; ++i) {
    const auto start = Clock::now();
    try {
      operation();
      result.latencies.push_back(Clock::now() - start);
    } catch (const test::HarnessError&) {
      ++result.errors;
    }
  }
  result.elapsed = Clock::now() - begin;
  return result;
}

RawClient tunnel_to_origin(const Route& route) {
  RawClient client(*route.proxy, Transport::tls);
  if (test::http_connect(client, route.origin.to_string(), route.user, route.password).status != 200)
    throw test::HarnessError("no tunnel");
  return client;
}

void fetch(RawClient& client, const std::string& path, std::size_t length) {
  client.send("GET " + path + " HTTP/1.1\r\nHost: origin\r\n\r\n");
  client.read_until("\r\n\r\n");
  for (std::size_t left = length; left != 0;) {
    const auto got = client.read_some().size();
    if (got == 0 || got > left) throw test::HarnessError("another length than was asked for");
    left -= got;
  }
}

}  // namespace

LoadResult shake_hands(const Route& route, std::size_t operations) {
  return time_each(operations, [&] { RawClient(*route.proxy, Transport::tls); });
}

LoadResult move_bulk_by_tls(const Route& route, std::size_t operations, std::size_t bytes) {
  RawClient client = tunnel_to_origin(route);
  const std::string path = "/bulk/" + std::to_string(bytes);
  return time_each(operations, [&] { fetch(client, path, bytes); });
}

IdleResult measure_idle_by_tls(const Route& route, pid_t proxy, std::size_t tunnels) {
  IdleResult result;
  std::list<RawClient> standing;
  const auto open = [&] {
    standing.push_back(tunnel_to_origin(route));
    fetch(standing.back(), "/small", Origin::small_body_bytes);
  };
  // As with plain tunnels: the first ones grow what all share.
  time_each(16, open);
  result.memory_before_bytes = memory_bytes_of(proxy);
  const LoadResult load = time_each(tunnels, open);
  result.memory_after_bytes = memory_bytes_of(proxy);
  result.tunnels = load.latencies.size();
  result.errors = load.errors;
  return result;
}

}  // namespace payg::bench
