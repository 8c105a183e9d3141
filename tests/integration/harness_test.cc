// The harness itself: a test that leans on it is only as good as this.

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/harness/fake_dns.h"
#include "tests/support/harness/origin.h"
#include "tests/support/harness/patience.h"
#include "tests/support/harness/pattern.h"
#include "tests/support/harness/process.h"
#include "tests/support/harness/socks_client.h"

namespace payg::test {
namespace {

TEST(Pattern, NoticesALostADoubledAndAChangedByte) {
  const std::string right = Pattern::bytes(0, 3'000'000);
  PatternCheck whole;
  whole.feed(right);
  EXPECT_EQ(whole.good_bytes(), right.size());

  PatternCheck lost;
  lost.feed(right.substr(0, 2'000'000) + right.substr(2'000'001));
  EXPECT_FALSE(lost.intact());

  PatternCheck changed;
  std::string wrong = right;
  wrong[1'500'000] = static_cast<char>(wrong[1'500'000] ^ 1);
  changed.feed(wrong);
  EXPECT_EQ(changed.good_bytes(), 1'500'000U);
  EXPECT_FALSE(changed.intact());
}

TEST(Process, TellsHowAProgramEnded) {
  EXPECT_EQ(run_program({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}).status, (ExitStatus{3, 0}));
  const auto finished = run_program({"/bin/sh", "-c", "echo out; echo err >&2"});
  EXPECT_EQ(finished.output, "out\n");
  EXPECT_EQ(finished.errors, "err\n");
  EXPECT_EQ(run_program({"/no/such/program"}).status.code, 127);

  Process sleeper(
      {.arguments = {"/bin/sleep", "1000"}, .environment = {}, .working_folder = {}, .open_files = {}});
  EXPECT_TRUE(sleeper.running());
  sleeper.signal(SIGTERM);
  EXPECT_EQ(sleeper.wait(), (ExitStatus{-1, SIGTERM}));
}

TEST(Process, FindsASanitizersReport) {
  EXPECT_FALSE(sanitizer_report("all is well\n"));
  EXPECT_TRUE(sanitizer_report("a\n==1==ERROR: AddressSanitizer: heap-use-after-free\nb\n"));
  EXPECT_TRUE(sanitizer_report("x.cc:3:5: runtime error: signed integer overflow\n"));
}

TEST(Origin, RecordsWhatReachedItToTheByte) {
  const Origin origin(scripts::answer_ok("fine"));
  RawClient client(origin.address());
  const std::string raw =
      "POST /x HTTP/1.1\r\nHoSt:  a \r\nTransfer-Encoding: chunked\r\n\r\n3;e\r\nabc\r\n0\r\n\r\n";
  client.send_slowly(raw);
  EXPECT_EQ(read_response(client).body.content, "fine");
  const auto seen = origin.wait_for_requests(1);
  EXPECT_EQ(seen[0].head.raw + seen[0].body.raw, raw);
  EXPECT_EQ(seen[0].head.field("host"), "a");
  EXPECT_EQ(seen[0].body.content, "abc");
}

TEST(Origin, KnowsARequestThatWasCutOff) {
  const Origin origin(scripts::answer_ok());
  {
    RawClient client(origin.address());
    client.send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf");
  }
  EXPECT_FALSE(origin.wait_for_requests(1)[0].body.complete);
}

TEST(BlackHole, NeverAnswers) {
  const BlackHole hole(parse_address("127.0.0.1:0"));
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage name{};
  const socklen_t length = hole.address().to(name);
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), length), -1);
  Stream stream(std::move(socket));
  EXPECT_FALSE(stream.readable_within(std::chrono::milliseconds(200)));
}

TEST(ClosedPort, RefusesConnections) {
  const ClosedPort closed;
  EXPECT_THROW(RawClient client(closed.address()), HarnessError);
}

TEST(Credentials, AreEncodedAsRfc4648Says) {
  EXPECT_EQ(basic_credentials("demo", "demo-token"), "Basic ZGVtbzpkZW1vLXRva2Vu");
  EXPECT_EQ(basic_credentials("a", "b"), "Basic YTpi");
  EXPECT_EQ(basic_credentials("a", "bc"), "Basic YTpiYw==");
}

}  // namespace
}  // namespace payg::test
