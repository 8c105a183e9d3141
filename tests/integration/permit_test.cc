// A session's bytes and the moment until which they may move, through a whole worker on real sockets. Time is
// moved by hand. That nothing moves is seen from the session's counts, which are kept where bytes are
// written, while somebody else, who may, sends and receives beside it.

#include <future>
#include <thread>

#include "tests/integration/held_proxy.h"
#include "tests/support/harness/udp_end.h"

namespace payg::test {
namespace {

// More than all kernel buffers on the way can hold, so that whoever stops reading stops the sender.
constexpr std::uint64_t bulk = 64'000'000;
constexpr std::uint64_t beginning = 1'000'000;

/// What came out of the proxy at one end: the first `beginning` bytes at once, the rest when `go_on` is set.
class Reader {
 public:
  /// `stream` outlives it. `before_pattern`: everything up to and with this is no pattern; empty: all is.
  Reader(Stream& stream, std::string_view before_pattern)
      : thread_([this, &stream, before_pattern] { read(stream, before_pattern); }) {}
  ~Reader() {
    go_on.set();
    if (thread_.joinable()) thread_.join();
  }

  Signal has_begun, go_on;
  std::uint64_t arrived() const { return arrived_; }
  /// Waits for the end. True when all of it came, and right.
  bool got_all() {
    thread_.join();
    return pattern_.intact() && pattern_.good_bytes() == bulk;
  }

 private:
  void read(Stream& stream, std::string_view before_pattern) {
    try {
      if (!before_pattern.empty()) arrived_ += stream.read_until(before_pattern).size();
      while (pattern_.good_bytes() < bulk && pattern_.intact()) {
        if (pattern_.good_bytes() >= beginning && !has_begun.is_set()) {
          has_begun.set();
          go_on.wait();
        }
        const std::string piece = stream.read_some();
        if (piece.empty()) return;
        pattern_.feed(piece);
        arrived_ += piece.size();
      }
    } catch (const HarnessError&) {
      // What was read until then is what counts.
    }
  }

  std::atomic<std::uint64_t> arrived_{0};
  PatternCheck pattern_;
  std::thread thread_;
};

class Permit : public testing::Test {
 protected:
  explicit Permit(Transport transport = Transport::plain) : proxy_(0, transport) {}

  /// Somebody whose session is not bounded sends and receives, while the others are looked at many times.
  void others_go_on() {
    for (int i = 0; i < 2000; ++i) {
      free_client_.send("ping");
      ASSERT_EQ(free_client_.read_exactly(4), "ping");
    }
  }

  /// Forbids in the middle of what `reader` reads, sees that all stops, permits, and sees it come whole.
  void hold_in_the_middle(Reader& reader) {
    reader.has_begun.wait();
    proxy_.forbid();
    reader.go_on.set();
    ASSERT_TRUE(proxy_.comes_to_hold(1));
    const std::uint64_t moved = proxy_.bytes();
    EXPECT_LT(moved, bulk);
    others_go_on();
    EXPECT_EQ(proxy_.bytes(), moved) << "bytes moved while held";
    EXPECT_LE(reader.arrived(), moved);
    EXPECT_EQ(proxy_.held(), 1U);
    proxy_.permit();
    EXPECT_TRUE(reader.got_all()) << reader.arrived() << " bytes arrived";
    EXPECT_TRUE(proxy_.comes_to_hold(0));
    EXPECT_EQ(proxy_.plugin().closed, 0);
  }

  HeldProxy proxy_;
  Origin free_origin_{scripts::echo(), std::string(PermittingPlugin::free_host) + ":0"};
  RawClient free_client_ = proxy_.tunnel(free_origin_);
};

class PermitByEither : public Permit, public testing::WithParamInterface<Transport> {
 protected:
  PermitByEither() : Permit(GetParam()) {}
};

INSTANTIATE_TEST_SUITE_P(By, PermitByEither, testing::ValuesIn(both_transports), name_of_transport);

constexpr std::string_view no_head;
constexpr std::string_view head_end = "\r\n\r\n";

/// Until the client leaves.
void send_bulk_and_stay(OriginConnection& connection) {
  connection.send_pattern(bulk);
  connection.stream().at_end();
}

TEST_P(PermitByEither, HoldsADownloadThroughATunnel) {
  const Origin origin(send_bulk_and_stay);
  RawClient client = proxy_.tunnel(origin);
  Reader reader(client, no_head);
  hold_in_the_middle(reader);
}

TEST_F(Permit, HoldsADownloadThroughSocks) {
  const Origin origin(send_bulk_and_stay);
  RawClient client = proxy_.socks_tunnel(origin);
  Reader reader(client, no_head);
  hold_in_the_middle(reader);
}

TEST_P(PermitByEither, HoldsAForwardedDownload) {
  const Origin origin(scripts::pattern_download(bulk));
  RawClient client = proxy_.connect();
  client.send(get(origin));
  Reader reader(client, head_end);
  hold_in_the_middle(reader);
}

TEST_F(Permit, HoldsADownloadBehindAnUpgrade) {
  const Origin origin([](OriginConnection& connection) {
    connection.read_request_head();
    connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n");
    send_bulk_and_stay(connection);
  });
  RawClient client = proxy_.connect();
  client.send(get(origin, "Connection: upgrade\r\nUpgrade: other\r\n"));
  Reader reader(client, head_end);
  hold_in_the_middle(reader);
}

/// Reads with a Reader on the origin's side, which the test gets hold of when the origin was connected to.
class UploadOrigin {
 public:
  explicit UploadOrigin(std::string_view before_pattern)
      : origin_([this, before_pattern](OriginConnection& connection) {
          Reader reader(connection.stream(), before_pattern);
          reader_.set_value(&reader);
          over_.get_future().wait();  // without a limit: the test holds on to the reader, also when it fails
        }) {}
  ~UploadOrigin() { over_.set_value(); }

  const Origin& origin() const { return origin_; }
  Reader& reader() { return *reader_.get_future().get(); }

 private:
  std::promise<Reader*> reader_;
  std::promise<void> over_;
  Origin origin_;
};

/// Sends the bulk on a thread of its own.
std::thread send_bulk(RawClient& client) {
  return std::thread([&client] {
    for (std::uint64_t sent = 0; sent < bulk;) {
      const auto piece =
          Pattern::at(sent, static_cast<std::size_t>(std::min<std::uint64_t>(bulk - sent, 262'144)));
      if (!client.try_send(piece)) return;
      sent += piece.size();
    }
  });
}

TEST_P(PermitByEither, HoldsAnUploadThroughATunnel) {
  UploadOrigin upload(no_head);
  RawClient client = proxy_.tunnel(upload.origin());
  std::thread sender = send_bulk(client);
  hold_in_the_middle(upload.reader());
  sender.join();
}

TEST_F(Permit, HoldsAForwardedUpload) {
  UploadOrigin upload(head_end);
  RawClient client = proxy_.connect();
  client.send(post(upload.origin(), "Content-Length: " + std::to_string(bulk) + "\r\n", {}));
  std::thread sender = send_bulk(client);
  hold_in_the_middle(upload.reader());
  sender.join();
}

TEST_F(Permit, HoldsAChunkedAnswerAndDeliversItWhole) {
  const std::string first = Pattern::bytes(0, 100'000), second = Pattern::bytes(100'000, 100'000);
  const auto chunk = [](const std::string& bytes) {
    std::array<char, 20> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
    return size.data() + bytes + "\r\n";
  };
  Signal held;
  const Origin origin([&](OriginConnection& connection) {
    connection.read_request_head();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(first));
    held.wait();
    connection.send(chunk(second) + "0\r\n\r\n");
  });
  RawClient client = proxy_.connect();
  client.send(get(origin));
  const HttpHead head = parse_head(client.read_until(head_end));
  EXPECT_TRUE(eventually([&] { return proxy_.plugin().traffic.down_bytes > first.size(); }));
  proxy_.forbid();
  held.set();
  ASSERT_TRUE(proxy_.comes_to_hold(1));
  const std::uint64_t moved = proxy_.bytes();
  others_go_on();
  EXPECT_EQ(proxy_.bytes(), moved);
  proxy_.permit();
  const HttpBody body = read_chunked_body(client);
  EXPECT_TRUE(body.complete);
  EXPECT_EQ(body.content, first + second);
}

TEST_F(Permit, RunsOutWithTimeAndComesBackWhenItIsProlonged) {
  const Origin origin(scripts::echo());
  RawClient client = proxy_.tunnel(origin);
  auto& until = proxy_.plugin().traffic.relay_until;
  until = proxy_.clock().now() + std::chrono::seconds(10);
  client.send("one");
  EXPECT_EQ(client.read_exactly(3), "one");
  proxy_.clock().advance(std::chrono::seconds(10));
  client.send("two");
  EXPECT_EQ(client.read_exactly(3), "two") << "the last moment itself is permitted";
  proxy_.clock().advance(std::chrono::nanoseconds(1));
  client.send("three");
  ASSERT_TRUE(proxy_.comes_to_hold(1));
  until = proxy_.clock().now() + std::chrono::seconds(10);
  EXPECT_EQ(client.read_exactly(5), "three");
}

TEST_F(Permit, OfEachPluginIsNeeded) {
  const Origin origin(scripts::echo());
  RawClient client = proxy_.tunnel(origin);
  proxy_.forbid();
  proxy_.second_plugin().traffic.relay_until = MonotonicTime::min();
  client.send("hello");
  ASSERT_TRUE(proxy_.comes_to_hold(1));
  const std::uint64_t moved = proxy_.bytes();
  proxy_.permit();
  others_go_on();
  EXPECT_EQ(proxy_.held(), 1U);
  EXPECT_EQ(proxy_.bytes(), moved);
  proxy_.second_plugin().traffic.relay_until = MonotonicTime::max();
  EXPECT_EQ(client.read_exactly(5), "hello");
}

TEST_F(Permit, HoldsBackAHalfCloseToo) {
  Signal ended;
  const Origin origin([&](OriginConnection& connection) {
    const std::string all = connection.stream().read_to_end();
    ended.set();
    connection.send(all);
  });
  RawClient client = proxy_.tunnel(origin);
  proxy_.forbid();
  client.send("last words");
  client.finish_sending();
  ASSERT_TRUE(proxy_.comes_to_hold(1));
  others_go_on();
  EXPECT_FALSE(ended.is_set());
  proxy_.permit();
  EXPECT_EQ(client.read_to_end(), "last words");
}

TEST_F(Permit, DoesNotLoseWhatATargetSaidBeforeItLeft) {
  Signal may_leave;
  const Origin origin([&](OriginConnection& connection) {
    may_leave.wait();
    connection.send("good bye");
  });
  RawClient client = proxy_.tunnel(origin);
  proxy_.forbid();
  may_leave.set();
  ASSERT_TRUE(proxy_.comes_to_hold(1));
  others_go_on();
  proxy_.permit();
  EXPECT_EQ(client.read_to_end(), "good bye");
}

TEST_F(Permit, IsAskedForByEachRequestAndWaitedForByItsAnswer) {
  const Origin origin(scripts::answer_ok());
  RawClient client = proxy_.connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 200);
  proxy_.forbid();
  client.send(get(origin));
  ASSERT_TRUE(proxy_.comes_to_hold(1));
  others_go_on();
  EXPECT_EQ(origin.requests().size(), 1U) << "a request is a byte of the session too";
  proxy_.permit();
  EXPECT_EQ(read_response(client).status, 200);
}

TEST_F(Permit, IsNotNeededToTellAClientThatHeIsRefused) {
  const Origin origin(scripts::answer_ok());
  RawClient client = proxy_.connect();
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 200);
  proxy_.forbid();
  proxy_.plugin().denies = true;
  client.send(get(origin));
  EXPECT_EQ(read_response(client).status, 402);
}

TEST_P(PermitByEither, HoldsWhatACutThenClosesOnEveryProtocol) {
  const Origin web(scripts::pattern_download(bulk));
  const Origin stream(scripts::pattern_stream(bulk));
  const Origin echo(scripts::echo());
  const Origin silent([](OriginConnection& connection) { connection.read_request(); });
  RawClient tunnel = proxy_.tunnel(stream);
  RawClient socks_tunnel = proxy_.socks_tunnel(echo);
  RawClient forwarded = proxy_.connect();
  forwarded.send(get(web));
  forwarded.read_until(head_end);
  proxy_.forbid();
  RawClient waiting = proxy_.connect();
  waiting.send(get(silent));
  socks_tunnel.send("hello");
  // The downloads are held as soon as their readers make room.
  PatternCheck of_tunnel, of_forwarded;
  constexpr std::chrono::milliseconds a_moment{1};
  ASSERT_TRUE(eventually([&] {
    if (tunnel.readable_within(a_moment)) of_tunnel.feed(tunnel.read_some());
    if (forwarded.readable_within(a_moment)) of_forwarded.feed(forwarded.read_some());
    return proxy_.held() == 4;
  }));
  proxy_.end_session();
  EXPECT_EQ(read_response(waiting).status, 402) << "who waits for an answer gets one";
  of_tunnel.feed(tunnel.read_to_end());
  of_forwarded.feed(forwarded.read_to_end());
  EXPECT_TRUE(socks_tunnel.at_end());
  EXPECT_TRUE(of_tunnel.intact());
  EXPECT_TRUE(of_forwarded.intact());
  EXPECT_LT(of_tunnel.good_bytes(), bulk);
  EXPECT_LT(of_forwarded.good_bytes(), bulk);
  EXPECT_TRUE(eventually([&] { return proxy_.plugin().closed == 4; }));
  EXPECT_TRUE(proxy_.comes_to_hold(0));
}

TEST_F(Permit, IsNotWaitedForByAClientThatResets) {
  const Origin echo(scripts::echo());
  const Origin silent([](OriginConnection& connection) { connection.read_request(); });
  RawClient tunnel = proxy_.tunnel(echo);
  RawClient waiting = proxy_.connect();
  proxy_.forbid();
  tunnel.send("hello");
  waiting.send(get(silent));
  ASSERT_TRUE(proxy_.comes_to_hold(2));
  tunnel.reset();
  waiting.reset();
  EXPECT_TRUE(eventually([&] { return proxy_.plugin().closed == 2; }));
  EXPECT_TRUE(proxy_.comes_to_hold(0));
}

TEST_F(Permit, HoldsDatagramsBothWays) {
  const UdpEnd origin, end;
  RawClient control = proxy_.connect();
  const auto reply = socks::open(control, socks::associate());
  ASSERT_EQ(reply.code, 0);
  const SocketAddress relay = socks::bound_in(reply);
  end.send_to(relay, socks::datagram_to(origin.address(), "first"));
  const SocketAddress exit = origin.receive().from;

  constexpr std::uint64_t reply_and_first = 10 + 5;
  ASSERT_TRUE(eventually([&] { return proxy_.bytes() == reply_and_first; })) << "counted behind the sending";
  proxy_.forbid();
  end.send_to(relay, socks::datagram_to(origin.address(), "up"));
  origin.send_to(exit, "down");
  ASSERT_TRUE(proxy_.comes_to_hold(1));
  others_go_on();
  EXPECT_EQ(proxy_.bytes(), reply_and_first);
  EXPECT_FALSE(origin.receive_now());
  EXPECT_FALSE(end.receive_now());

  proxy_.permit();
  EXPECT_EQ(origin.receive().bytes, "up");
  EXPECT_EQ(end.receive().bytes, socks::datagram_to(origin.address(), "down"));
}

TEST_F(Permit, CutsAnAssociationThatIsHeld) {
  const UdpEnd origin, end;
  RawClient control = proxy_.connect();
  const auto reply = socks::open(control, socks::associate());
  ASSERT_EQ(reply.code, 0);
  proxy_.forbid();
  end.send_to(socks::bound_in(reply), socks::datagram_to(origin.address(), "unpaid"));
  ASSERT_TRUE(proxy_.comes_to_hold(1));
  proxy_.end_session();
  EXPECT_TRUE(control.at_end());
  EXPECT_TRUE(control.was_reset());
  EXPECT_FALSE(origin.receive_now());
}

TEST_F(Permit, LetsAClientThatEndedGoWhenItIsCut) {
  const Origin echo(scripts::echo());
  RawClient client = proxy_.tunnel(echo);
  proxy_.forbid();
  client.send("hello");
  client.close();
  ASSERT_TRUE(proxy_.comes_to_hold(1));
  EXPECT_EQ(proxy_.plugin().closed, 0);
  proxy_.end_session();
  EXPECT_TRUE(eventually([&] { return proxy_.plugin().closed == 1; }));
}

TEST_F(Permit, ThatNeverComesIsWaitedForAsLongAsAnybodyMayBeIdle) {
  const Origin echo(scripts::echo());
  RawClient client = proxy_.tunnel(echo);
  proxy_.forbid();
  client.send("hello");
  ASSERT_TRUE(proxy_.comes_to_hold(1));
  proxy_.clock().advance(std::chrono::minutes(6));
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(eventually([&] { return proxy_.plugin().closed == 1; }));
  EXPECT_TRUE(proxy_.comes_to_hold(0));
}

}  // namespace
}  // namespace payg::test
