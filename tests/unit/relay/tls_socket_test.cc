#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <thread>

#include "plugin/base/event.h"
#include "proxy/passage.h"
#include "proxy/tls_context.h"
#include "tests/support/harness/pattern.h"
#include "tests/support/harness/stream.h"
#include "tests/support/harness/temp_folder.h"

namespace payg::proxy {
namespace {

using namespace std::string_literals;
using test::Pattern;
using test::PatternCheck;
using test::TestCertificate;

TlsContext context() {
  const test::TempFolder folder;
  const TestCertificate made = TestCertificate::make();
  return TlsContext::load(folder.write("cert.pem", made.certificate), folder.write("key.pem", made.key))
      .value();
}

/// A socket that speaks TLS, and its client, whose handshake is over.
class TlsSocket : public testing::Test, public SocketHandler {
 protected:
  TlsSocket() : far_(make_pair()) {
    std::thread client([this] { far_.start_tls(); });
    char byte;
    while (!socket_.has_tls_session()) {
      event_base_loop(loop_.base(), EVLOOP_ONCE);
      EXPECT_EQ(socket_.read({&byte, 1}).outcome, Socket::Outcome::blocked);
    }
    client.join();
  }

  UniqueFd make_pair() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    UniqueFd near(ends[0]);
    EXPECT_EQ(evutil_make_socket_nonblocking(near.get()), 0);
    EXPECT_TRUE(socket_.open(loop_.base(), std::move(near), *this));
    EXPECT_TRUE(socket_.start_tls(context()));
    return UniqueFd(ends[1]);
  }

  void on_ready(Socket&) noexcept override {}
  void look() { event_base_loop(loop_.base(), EVLOOP_NONBLOCK); }
  Socket::Transfer write(std::string_view bytes) {
    return Passage(ByteCount{total_, connection_total_, {}, &plugin::SessionTraffic::up_bytes})
        .write(socket_, bytes);
  }
  std::string read(std::size_t most) {
    std::string bytes(most, '\0');
    bytes.resize(socket_.read(bytes).count);
    return bytes;
  }
  /// What the client reads until somebody ends it.
  std::string all_that_arrives() { return far_.read_to_end(); }

  EventLoop loop_;
  Socket socket_;
  test::Stream far_;
  std::atomic<std::uint64_t> total_{0};
  std::uint64_t connection_total_ = 0;
};

TEST_F(TlsSocket, IsNothingForSplice) {
  EXPECT_FALSE(socket_.can_splice());
}

TEST_F(TlsSocket, ReadsSeveralRecordsAtOnceAndSaysWhenItIsDrained) {
  const std::string bytes = Pattern::bytes(0, 50'000);
  far_.send(bytes);
  look();
  ASSERT_TRUE(socket_.readable());
  EXPECT_EQ(read(40'000), bytes.substr(0, 40'000));
  EXPECT_TRUE(socket_.readable()) << "decrypted bytes wait inside OpenSSL";
  EXPECT_TRUE(socket_.has_news());
  EXPECT_EQ(read(40'000), bytes.substr(40'000));
  EXPECT_FALSE(socket_.readable());
  EXPECT_FALSE(socket_.has_news());
}

TEST_F(TlsSocket, GoesOnWithAWriteThatWasBlockedInTheMiddleOfARecord) {
  const std::string bytes = Pattern::bytes(0, 3'000'000);
  PatternCheck check;
  std::size_t sent = 0;
  while (check.good_bytes() < bytes.size() && check.intact()) {
    while (sent < bytes.size() && socket_.writable()) {
      const auto put = write(std::string_view(bytes).substr(sent, 64 * 1024));
      ASSERT_NE(put.outcome, Socket::Outcome::failed);
      sent += put.count;
    }
    check.feed(far_.read_some());
    look();
  }
  EXPECT_EQ(check.good_bytes(), bytes.size());
  EXPECT_EQ(total_, bytes.size()) << "counted as the client means them";
}

TEST_F(TlsSocket, HasUnreadInputWhenItsPeerEnds) {
  far_.send("last words");
  far_.finish_sending();
  look();
  EXPECT_EQ(read(100), "last words");
  char byte;
  EXPECT_EQ(socket_.read({&byte, 1}).outcome, Socket::Outcome::ended);
  EXPECT_EQ(socket_.read({&byte, 1}).outcome, Socket::Outcome::ended) << "however often it is asked";
  EXPECT_EQ(write("still heard").count, 11U);
  socket_.close();
  EXPECT_EQ(all_that_arrives(), "still heard");
}

TEST_F(TlsSocket, SaysGoodbyeWhenItShutsDownAndStillReads) {
  socket_.shut_down_writing();
  EXPECT_EQ(all_that_arrives(), "");
  EXPECT_TRUE(far_.tls()->was_told_goodbye());
  far_.send("heard");
  look();
  EXPECT_EQ(read(100), "heard");
}

TEST_F(TlsSocket, SaysGoodbyeWhenItIsClosed) {
  EXPECT_EQ(write("bye").count, 3U);
  socket_.close();
  EXPECT_EQ(all_that_arrives(), "bye");
  EXPECT_TRUE(far_.tls()->was_told_goodbye());
}

TEST_F(TlsSocket, SaysNothingWhenItIsAborted) {
  socket_.abort();
  EXPECT_EQ(all_that_arrives(), "");
  EXPECT_FALSE(far_.tls()->was_told_goodbye());
}

TEST_F(TlsSocket, IsFailedByAnEndInTheMiddleOfARecord) {
  const std::string record = "\x17\x03\x03\x01\x00 half of it"s;
  ASSERT_EQ(send(far_.fd(), record.data(), record.size(), MSG_NOSIGNAL), std::ssize(record));
  ::shutdown(far_.fd(), SHUT_WR);
  look();
  char byte;
  EXPECT_EQ(socket_.read({&byte, 1}).outcome, Socket::Outcome::failed);
  EXPECT_EQ(socket_.read({&byte, 1}).outcome, Socket::Outcome::failed);
}

TEST_F(TlsSocket, IsFailedByBytesThatAreNoRecordAndStaysSo) {
  ASSERT_EQ(send(far_.fd(), "GET / HTTP/1.1", 14, MSG_NOSIGNAL), 14);
  look();
  char byte;
  EXPECT_EQ(socket_.read({&byte, 1}).outcome, Socket::Outcome::failed);
  EXPECT_EQ(socket_.read({&byte, 1}).outcome, Socket::Outcome::failed);
  EXPECT_EQ(write("hello").outcome, Socket::Outcome::failed);
}

}  // namespace
}  // namespace payg::proxy
