// A proxy that is stopped while its sessions' time runs out, and then goes on: nobody told it, and it must
// not move on what is over.

#include <signal.h>

#include <chrono>
#include <optional>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// As the module permits: tests/integration/modules/short_permit.cc.
constexpr std::chrono::seconds permitted{2};
/// What a pipe holds: the largest piece that is moved behind one look at the clock.
constexpr std::uint64_t one_piece = 256 * 1024;

ProxySettings with_short_permit() {
  ProxySettings settings;
  settings.more = "[[plugin]]\nname = \"short_permit\"\nmodule = \"" + built("tests/short_permit.so") +
                  "\"\n[short_permit]\n";
  return settings;
}

/// Takes what the kernel still brings when nobody sends any more.
std::uint64_t drain(RawClient& client) {
  constexpr milliseconds silence{500};  // longer than the kernel takes to send something again
  std::uint64_t taken = 0;
  while (client.readable_within(silence)) {
    const std::size_t piece = client.read_some(1 << 20).size();
    if (piece == 0) break;
    taken += piece;
  }
  return taken;
}

/// What the session has moved, once a connection of it is held.
std::uint64_t moved_when_held(ProxyProcess& proxy) {
  std::optional<std::uint64_t> moved;
  EXPECT_TRUE(eventually([&] {
    proxy.process().signal(SIGHUP);
    const std::string log = proxy.log();
    const auto held = log.rfind(", held 1.");
    if (held == std::string::npos) return false;
    constexpr std::string_view mark = "moved ";
    moved = std::stoull(log.substr(log.rfind(mark, held) + mark.size()));
    return true;
  })) << proxy.log();
  return moved.value_or(0);
}

TEST(AStoppedProxy, MovesAtMostOnePieceOfASessionThatRanOutMeanwhile) {
  const Origin origin(scripts::pattern_stream(100'000'000'000));
  ProxyProcess proxy(with_short_permit());
  RawClient client = proxy.connect();
  std::uint64_t arrived = http_connect(client, origin.authority()).head.raw.size();
  const auto over = steady_clock::now() + permitted;
  arrived += client.read_exactly(1'000'000).size();

  proxy.process().pause();
  arrived += drain(client);
  ASSERT_TRUE(eventually([&] { return steady_clock::now() > over; }));
  proxy.process().signal(SIGCONT);

  const std::uint64_t moved = moved_when_held(proxy);
  EXPECT_LE(moved - arrived, one_piece);
  RecordProperty("bytes_behind_the_stop", std::to_string(moved - arrived));
  EXPECT_EQ(arrived + drain(client), moved) << "what was moved arrives, and nothing else does";
  client.send("more");
  EXPECT_EQ(moved_when_held(proxy), moved);
}

}  // namespace
}  // namespace payg::test
