#include "billing/admin/connection_limits.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <stdexcept>

#include "billing/admin/exchange.h"
#include "plugin/base/address.h"
#include "plugin/base/event.h"
#include "tests/unit/admin/admin_port.h"
#include "tests/unit/admin/blocked_thread.h"

namespace payg::test {
namespace {

using billing::ConnectionLimits;

const std::string healthz = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::string post_of(std::size_t size) {
  return "POST /api/credits/purchase HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(size) +
         "\r\n\r\n";
}

void send(const UniqueFd& fd, const std::string& bytes) {
  ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

/// What comes next; empty: the server has closed, or cut the connection.
std::string receive(const UniqueFd& fd) {
  char buffer[4096];
  const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
  if (n < 0 && errno != ECONNRESET) return "(nothing in 30 seconds)";
  return n <= 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(n));
}

void expect_answer(const UniqueFd& fd, const std::string& status) {
  const std::string answer = receive(fd);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status + " ")) << answer;
}

/// The first of the two that the server has something to say to; nullptr: to none.
const UniqueFd* first_to_hear(const UniqueFd& one, const UniqueFd& other) {
  constexpr int deadline_ms = 30'000;
  pollfd watched[] = {{.fd = one.get(), .events = POLLIN, .revents = 0},
                      {.fd = other.get(), .events = POLLIN, .revents = 0}};
  if (::poll(watched, 2, deadline_ms) <= 0) return nullptr;
  return watched[0].revents != 0 ? &one : &other;
}

bool has_something(const UniqueFd& fd) {
  pollfd descriptor{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&descriptor, 1, 0) == 1;
}

/// How many descriptors this process has open.
auto count_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

/// Reads to the end of the reply whose beginning is `answer`, or until the server closes. Returns how many
/// bytes of the body did not come.
std::size_t read_the_rest(const UniqueFd& fd, std::string answer) {
  const std::string length = "Content-Length: ";
  for (std::string more = "?"; answer.find("\r\n\r\n") == std::string::npos && !more.empty();)
    answer += more = receive(fd);
  const std::size_t head = answer.find("\r\n\r\n"), field = answer.find(length);
  if (head == std::string::npos || field > head) return std::string::npos;
  std::size_t missing = std::stoul(answer.substr(field + length.size())) + head + 4 - answer.size();
  while (missing > 0) {
    const std::string more = receive(fd);
    if (more.empty()) break;
    missing -= more.size();
  }
  return missing;
}

std::string balance_request() {
  return "GET /api/credits/balance HTTP/1.1\r\nHost: localhost\r\n" + bearer("alice-token") + "\r\n\r\n";
}

class Limits : public AdminPort {
 protected:
  std::vector<UniqueFd> open_silent(std::size_t count) {
    std::vector<UniqueFd> silent;
    for (std::size_t i = 0; i < count; ++i) silent.push_back(send_only(port, ""));
    return silent;
  }
  /// The server's loop has been around twice, and done what there was to do.
  void wait_for_the_loop(const UniqueFd& fd) {
    for (int i = 0; i < 2; ++i) {
      send(fd, healthz);
      ASSERT_TRUE(receive(fd).starts_with("HTTP/1.1 200 "));
    }
  }
  /// Waits until the server has something to say to `fd`, which its clock's tick does within a second.
  void wait_for_the_tick(const UniqueFd& fd) {
    EXPECT_NE(first_to_hear(fd, fd), nullptr) << "the server did not close it in 30 seconds";
  }
  /// Lets more time pass than a request may take, and waits for the tick.
  void let_time_pass_until(const UniqueFd& fd) {
    wait_for_the_loop(send_only(port, ""));
    host.standing_clock.pass(ConnectionLimits::max_request_time + std::chrono::seconds(1));
    wait_for_the_tick(fd);
  }
};

TEST_F(Limits, ANewClientIsAnsweredHoweverManySayNothingAndTheOldestOfThemAreClosed) {
  constexpr std::size_t surplus = 44;
  const auto silent = open_silent(ConnectionLimits::max_connections - 1 + surplus);
  const UniqueFd client = send_only(port, healthz);
  expect_answer(client, "200");
  for (std::size_t i = 0; i < surplus; ++i) EXPECT_EQ(receive(silent[i]), "") << i;
  wait_for_the_loop(client);
  for (std::size_t i = surplus; i < silent.size(); ++i) EXPECT_FALSE(has_something(silent[i])) << i;
}

TEST_F(Limits, UnfinishedRequestsKeepNobodyOut) {
  std::vector<UniqueFd> senders;
  for (std::size_t i = 0; i < 2 * ConnectionLimits::max_connections; ++i)
    senders.push_back(send_only(port, i % 2 == 0 ? "GET / HT" : post_of(10) + "{"));
  expect_answer(send_only(port, healthz), "200");
  EXPECT_EQ(receive(senders.front()), "");
  EXPECT_FALSE(has_something(senders.back()));
}

TEST_F(Limits, WhoeverWasAnsweredLatelyOutstaysWhoCameLater) {
  const UniqueFd first = send_only(port, healthz);
  expect_answer(first, "200");
  const auto silent = open_silent(ConnectionLimits::max_connections - 1);
  wait_for_the_loop(first);
  const UniqueFd one_more = send_only(port, healthz);
  expect_answer(one_more, "200");
  EXPECT_EQ(receive(silent.front()), "");
  wait_for_the_loop(first);
}

TEST_F(Limits, AConnectionThatIsBeingAnsweredIsNotClosed) {
  add_user("alice");
  BlockedThread blocked(*ledger_thread);
  const UniqueFd answering = send_only(port, healthz);
  expect_answer(answering, "200");
  send(answering, balance_request());
  const auto silent = open_silent(2 * ConnectionLimits::max_connections);
  expect_answer(send_only(port, healthz), "200");
  EXPECT_EQ(receive(silent.front()), "");
  blocked.go_on();
  expect_answer(answering, "200");
}

/// What the kernel keeps of a reply at its sender's end (tcp(7), tcp_wmem).
std::size_t most_in_a_send_buffer() {
  std::ifstream sizes("/proc/sys/net/ipv4/tcp_wmem");
  std::size_t least = 0, usual = 0, most = 0;
  if (!(sizes >> least >> usual >> most)) throw std::runtime_error("cannot read tcp_wmem");
  return most;
}

/// More than the kernel takes of one reply whose client does not read.
class LongReplies : public Limits {
 protected:
  static constexpr int receive_buffer = 131'072;  // which the kernel doubles
  LongReplies() { host.help.assign(most_in_a_send_buffer() + 4 * receive_buffer, 'h'); }

  /// Asks for one, and has read its first byte, which is an H.
  UniqueFd ask_without_reading(const std::string& more = "") {
    UniqueFd fd = send_only(port, "");
    EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer), 0);
    send(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" + more);
    char first = 0;
    EXPECT_EQ(::recv(fd.get(), &first, 1, 0), 1);
    return fd;
  }
};

TEST_F(LongReplies, ArriveWholeHoweverManyComeMeanwhile) {
  const UniqueFd reader = ask_without_reading();
  constexpr std::size_t surplus = 44;
  const auto silent = open_silent(ConnectionLimits::max_connections - 1 + surplus);
  EXPECT_EQ(receive(silent[surplus - 1]), "");
  expect_answer(send_only(port, healthz), "200");
  EXPECT_EQ(read_the_rest(reader, "H"), 0U);
  wait_for_the_loop(reader);
}

TEST_F(LongReplies, TakeNoneOfTheTimeOfTheRequestBehindThem) {
  const UniqueFd reader = ask_without_reading("GET / HT");
  const UniqueFd late = send_only(port, "GET / HT");
  let_time_pass_until(late);
  EXPECT_EQ(receive(late), "");
  EXPECT_EQ(read_the_rest(reader, "H"), 0U);
  let_time_pass_until(reader);
  EXPECT_EQ(receive(reader), "");
}

TEST_F(LongReplies, ArriveWholeAlsoWhenTheClientHasSaidAll) {
  const UniqueFd reader = ask_without_reading();
  ASSERT_EQ(::shutdown(reader.get(), SHUT_WR), 0);
  wait_for_the_loop(send_only(port, ""));
  EXPECT_EQ(read_the_rest(reader, "H"), 0U);
  EXPECT_EQ(receive(reader), "");
}

TEST_F(LongReplies, AreGivenUpFromTheOldestOnWhenThereAreMoreThanAreSpared) {
  std::vector<UniqueFd> readers;
  for (std::size_t i = 0; i < ConnectionLimits::max_spared_writing + 1; ++i)
    readers.push_back(ask_without_reading());
  const auto silent = open_silent(ConnectionLimits::max_connections);
  expect_answer(send_only(port, healthz), "200");
  EXPECT_EQ(receive(silent.front()), "");
  EXPECT_GT(read_the_rest(readers[0], "H"), 0U);
  EXPECT_EQ(read_the_rest(readers[1], "H"), 0U);
}

TEST_F(Limits, ManyConnectionsThatCameAndWentLeaveRoomForOthers) {
  const std::string requests[] = {
      "", "GET / HT", healthz, post_of(10) + "{", "nonsense\r\n\r\n", "GET /healthz HTTP/1.0\r\n\r\n"};
  for (std::size_t i = 0; i < 3 * ConnectionLimits::max_connections; ++i)
    send_only(port, requests[i % std::size(requests)]);
  std::vector<UniqueFd> open;
  for (std::size_t i = 0; i < ConnectionLimits::max_connections / 2; ++i) {
    open.push_back(send_only(port, healthz));
    expect_answer(open.back(), "200");
  }
}

TEST_F(Limits, OnlyOneAtATimeMaySendMuchMoreThanARequestAndIsToldThatItIsTooLarge) {
  const std::string part(1'000'000, 'x');
  std::vector<UniqueFd> senders;
  for (int i = 0; i < 2; ++i) senders.push_back(send_only(port, post_of(2 * part.size())));
  std::vector<std::future<void>> sending;
  for (const UniqueFd& fd : senders) {
    sending.push_back(std::async(std::launch::async,
                                 [&fd, &part] { ::send(fd.get(), part.data(), part.size(), MSG_NOSIGNAL); }));
  }
  for (auto& done : sending) done.wait();
  const UniqueFd* const refused = first_to_hear(senders[0], senders[1]);
  ASSERT_NE(refused, nullptr) << "both may send more";
  EXPECT_EQ(receive(*refused), "");
  const UniqueFd& other = refused == &senders[0] ? senders[1] : senders[0];
  send(other, part);
  expect_answer(other, "413");
  // And the next one may.
  const Answer answer = ask({.method = "POST", .path = "/api/credits/purchase", .headers = {}, .body = part});
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.code(), "too_large");
}

TEST_F(Limits, ChunksCountAsWell) {
  const UniqueFd first = send_only(port, post_of(2'000'000));
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  UniqueFd second = send_only(port,
                              "POST /api/credits/purchase HTTP/1.1\r\nHost: localhost\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n");
  auto sending = std::async(std::launch::async, [&] {
    const std::string part(200'000, 'x');
    ::send(first.get(), part.data(), part.size(), MSG_NOSIGNAL);
    for (int i = 0; i < 16; ++i) ::send(second.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
  });
  sending.wait();
  const UniqueFd* const refused = first_to_hear(first, second);
  ASSERT_NE(refused, nullptr) << "both may send more";
  EXPECT_EQ(receive(*refused), "");
}

/// What was accepted when the loop stopped is nobody's yet: evhttp's connections are given to the limits by
/// the next callback of the loop, which does not come.
TEST(ConnectionLimitsAlone, AConnectionThatCameWithTheEndOfTheLoopIsClosedToo) {
  const auto before = count_descriptors();
  {
    EventLoop loop;
    const StandingClock clock;
    auto http = billing::make_evhttp(loop.base());
    ASSERT_NE(http, nullptr);
    auto* const bound = evhttp_bind_socket_with_handle(http.get(), "127.0.0.1", 0);
    ASSERT_NE(bound, nullptr);
    ConnectionLimits limits(loop, clock, http.get());
    const UniqueFd client = send_only(local_address(evhttp_bound_socket_get_fd(bound))->port(), "");
    loop.stop();
    loop.run();
    limits.stop();
    http.reset();
  }
  EXPECT_EQ(count_descriptors(), before);
}

TEST_F(Limits, ARequestThatIsNotCompleteInTimeIsClosed) {
  for (const std::string& request : {std::string("GET / HT"), healthz + "GET", post_of(10) + "{"}) {
    const UniqueFd fd = send_only(port, request);
    if (request.starts_with(healthz)) {
      expect_answer(fd, "200");
    }
    let_time_pass_until(fd);
    EXPECT_EQ(receive(fd), "") << request;
  }
}

TEST_F(Limits, ARequestThatIsNotCompleteYetHasUntilThen) {
  const std::chrono::seconds earlier(5);
  const UniqueFd late = send_only(port, "GET / HT");
  const UniqueFd idle = send_only(port, "");
  wait_for_the_loop(idle);
  host.standing_clock.pass(earlier);
  const UniqueFd in_time = send_only(port, healthz.substr(0, 10));
  wait_for_the_loop(idle);
  host.standing_clock.pass(ConnectionLimits::max_request_time - earlier + std::chrono::seconds(1));
  wait_for_the_tick(late);
  EXPECT_EQ(receive(late), "");
  send(in_time, healthz.substr(10));
  expect_answer(in_time, "200");
}

TEST_F(Limits, ARequestThatIsBeingAnsweredMayTakeItsTime) {
  add_user("alice");
  BlockedThread blocked(*ledger_thread);
  const UniqueFd answering = send_only(port, balance_request());
  const UniqueFd idle = send_only(port, healthz);
  expect_answer(idle, "200");
  const UniqueFd late = send_only(port, "GET / HT");
  let_time_pass_until(late);
  EXPECT_EQ(receive(late), "");
  EXPECT_FALSE(has_something(answering));
  blocked.go_on();
  expect_answer(answering, "200");
  wait_for_the_loop(idle);
}

}  // namespace
}  // namespace payg::test
