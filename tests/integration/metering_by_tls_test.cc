// What a user sees of the meter is the same by TLS as it is without: by forwarding, CONNECT and SOCKS5.

#include <atomic>
#include <list>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/integration/metered_proxy.h"

namespace payg::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t gigabyte = 1'000'000'000;

class MeteringByTls : public testing::Test {
 protected:
  MeteredProxy metered_{LedgerKind::sqlite, BillingSettings{}, ProxySettings{.transport = Transport::tls}};
};

/// Reads at a leisurely pace until somebody ends it.
void read_to_the_cut(RawClient& client, PatternCheck& check) {
  for (auto bytes = client.read_some(); !bytes.empty(); bytes = client.read_some()) {
    check.feed(bytes);
    std::this_thread::sleep_for(1ms);
  }
}

void expect_cut_in_the_middle(RawClient& download) {
  PatternCheck check;
  read_to_the_cut(download, check);
  EXPECT_TRUE(check.intact());
  EXPECT_GT(check.good_bytes(), 0U);
  EXPECT_LT(check.good_bytes(), gigabyte) << "it was over before it could be cut";
  EXPECT_TRUE(download.was_reset());
  EXPECT_FALSE(download.tls()->was_told_goodbye()) << "what was cut does not look whole";
}

TEST_F(MeteringByTls, WhoCannotPayIsRefusedByEveryWayIn) {
  const Origin web(scripts::answer_ok());
  const Account alice{.name = "alice", .token = metered_.operator_client().create_user("alice")};
  RawClient forward = metered_.proxy().connect();
  forward.send(get_as(alice, web));
  EXPECT_EQ(read_response(forward).status, 402);
  RawClient connect = metered_.proxy().connect();
  EXPECT_EQ(http_connect(connect, web.authority(), alice.name, alice.token).status, 402);
  RawClient socks = metered_.proxy().connect();
  EXPECT_EQ(socks::open(socks, socks::connect_to(web.address()), alice.name, alice.token).code, 2);
  EXPECT_EQ(web.connections(), 0);
}

TEST_F(MeteringByTls, WhoHasTheWrongTokenIsRefusedByEveryWayIn) {
  const Origin web(scripts::answer_ok());
  Account alice = metered_.user("alice", "1");
  alice.token = "another";
  EXPECT_EQ(metered_.fetch_status(alice, web), 407);
  RawClient socks = metered_.proxy().connect();
  EXPECT_EQ(socks::open(socks, socks::connect_to(web.address()), alice.name, alice.token).code, 1);
  EXPECT_EQ(web.connections(), 0);
}

TEST_F(MeteringByTls, ASessionThatRunsDryIsCutOnEveryWayIn) {
  const Origin bulk(scripts::pattern_stream(gigabyte));
  const Origin file(scripts::pattern_download(gigabyte));
  const Origin echo(scripts::echo());
  const Account alice = metered_.user("alice", "0.002");
  RawClient tunnel = metered_.http_tunnel(alice, bulk);
  RawClient idle = metered_.socks_tunnel(alice, echo);
  RawClient forward = metered_.proxy().connect(ReceiveBuffer::small);
  forward.send(get_as(alice, file));
  forward.read_until("\r\n\r\n");
  std::thread beside([&] { expect_cut_in_the_middle(tunnel); });
  expect_cut_in_the_middle(forward);
  beside.join();
  EXPECT_TRUE(idle.at_end());
  EXPECT_FALSE(idle.tls()->was_told_goodbye());
  EXPECT_EQ(metered_.balance_units(alice), 0);
  EXPECT_TRUE(eventually([&] { return metered_.posted_usage_units(alice) == 2 * units_per_second; }));
}

TEST_F(MeteringByTls, AnUploadThatIsCutEndsAtTheOriginByAReset) {
  std::atomic<std::uint64_t> received = 0;
  std::atomic<bool> was_reset = false;
  const Origin sink([&](OriginConnection& connection) {
    for (auto bytes = connection.stream().read_some(); !bytes.empty();
         bytes = connection.stream().read_some()) {
      received += bytes.size();
      std::this_thread::sleep_for(1ms);
    }
    was_reset = connection.stream().was_reset();
  });
  const Account alice = metered_.user("alice", "0.001");
  RawClient upload = metered_.http_tunnel(alice, sink);
  const std::string chunk(65'536, 'u');
  std::uint64_t sent = 0;
  while (upload.try_send(chunk)) sent += chunk.size();
  EXPECT_TRUE(eventually([&] { return was_reset.load(); }));
  EXPECT_LT(received, sent) << "what the proxy held was thrown away";
  EXPECT_EQ(metered_.balance_units(alice), 0);
}

TEST_F(MeteringByTls, ARequestThatWaitsWhileItsSessionRunsDryIsToldWhy) {
  const Origin silent([](OriginConnection& connection) {
    connection.read_request();
    connection.stream().read_to_end();
  });
  const Account alice = metered_.user("alice", "0.001");
  RawClient client = metered_.proxy().connect();
  client.send(get_as(alice, silent));
  EXPECT_EQ(read_response(client).status, 402);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_TRUE(client.tls()->was_told_goodbye());
}

TEST_F(MeteringByTls, BytesAreCountedAsTheClientMeansThem) {
  const Origin echo(scripts::echo());
  const Account alice = metered_.user("alice", "1");
  RawClient tunnel = metered_.http_tunnel(alice, echo);
  tunnel.send(std::string(1000, 'x'));
  tunnel.read_exactly(1000);
  nlohmann::json session;
  EXPECT_TRUE(eventually([&] {
    const auto sessions = metered_.client(alice).get("/api/sessions").json().at("sessions");
    if (sessions.size() != 1) return false;
    session = sessions.at(0);
    return session.at("bytes_up") == 1000;
  })) << session;
}

}  // namespace
}  // namespace payg::test
