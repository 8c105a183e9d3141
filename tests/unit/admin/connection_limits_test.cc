#include "billing/admin/connection_limits.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>

#include "tests/unit/admin/admin_port.h"

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
  return n <= 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(n));
}

bool has_something(const UniqueFd& fd) {
  pollfd descriptor{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&descriptor, 1, 0) == 1;
}

class Limits : public AdminPort {
 protected:
  /// The server's loop has been around twice, and done what there was to do.
  void wait_for_the_loop(const UniqueFd& fd) {
    for (int i = 0; i < 2; ++i) {
      send(fd, healthz);
      ASSERT_TRUE(receive(fd).starts_with("HTTP/1.1 200 "));
    }
  }
  /// Lets time pass until the server has something to say to `fd`.
  void let_time_pass_until(const UniqueFd& fd) {
    pollfd descriptor{.fd = fd.get(), .events = POLLIN, .revents = 0};
    do host.standing_clock.pass(std::chrono::seconds(31));
    while (::poll(&descriptor, 1, 10) == 0);
  }
};

TEST_F(Limits, OneConnectionMoreThanThereMayBeWaitsUntilAnotherOneIsClosed) {
  std::vector<UniqueFd> open;
  for (std::size_t i = 0; i < ConnectionLimits::max_connections; ++i) open.push_back(send_only(port, ""));
  const UniqueFd waiting = send_only(port, healthz);
  wait_for_the_loop(open.back());
  EXPECT_FALSE(has_something(waiting));
  open.front().reset();
  EXPECT_TRUE(receive(waiting).starts_with("HTTP/1.1 200 "));
}

TEST_F(Limits, ManyConnectionsThatCameAndWentLeaveRoomForOthers) {
  const std::string requests[] = {
      "", "GET / HT", healthz, post_of(10) + "{", "nonsense\r\n\r\n", "GET /healthz HTTP/1.0\r\n\r\n"};
  for (std::size_t i = 0; i < 3 * ConnectionLimits::max_connections; ++i)
    send_only(port, requests[i % std::size(requests)]);
  std::vector<UniqueFd> open;
  for (std::size_t i = 0; i < ConnectionLimits::max_connections / 2; ++i) {
    open.push_back(send_only(port, healthz));
    EXPECT_TRUE(receive(open.back()).starts_with("HTTP/1.1 200 "));
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
  pollfd watched[] = {{.fd = senders[0].get(), .events = POLLIN, .revents = 0},
                      {.fd = senders[1].get(), .events = POLLIN, .revents = 0}};
  ASSERT_EQ(::poll(watched, 2, -1), 1);
  const std::size_t refused = watched[0].revents != 0 ? 0 : 1;
  EXPECT_EQ(receive(senders[refused]), "");
  send(senders[1 - refused], part);
  EXPECT_TRUE(receive(senders[1 - refused]).starts_with("HTTP/1.1 413 "));
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
  pollfd watched[] = {{.fd = first.get(), .events = POLLIN, .revents = 0},
                      {.fd = second.get(), .events = POLLIN, .revents = 0}};
  ASSERT_EQ(::poll(watched, 2, -1), 1);
  EXPECT_EQ(receive(watched[0].revents != 0 ? first : second), "");
}

TEST_F(Limits, ARequestThatIsNotCompleteInTimeIsClosed) {
  for (const std::string& request : {std::string("GET / HT"), healthz + "GET", post_of(10) + "{"}) {
    const UniqueFd fd = send_only(port, request);
    if (request.starts_with(healthz)) {
      EXPECT_TRUE(receive(fd).starts_with("HTTP/1.1 200 "));
    }
    let_time_pass_until(fd);
    EXPECT_EQ(receive(fd), "") << request;
  }
}

TEST_F(Limits, ARequestThatIsBeingAnsweredMayTakeItsTime) {
  add_user("alice");
  std::promise<void> leave;
  ASSERT_TRUE(ledger_thread->post([&](billing::Ledger&) { leave.get_future().wait(); }));
  const UniqueFd answering = send_only(
      port, "GET /api/credits/balance HTTP/1.1\r\nHost: localhost\r\n" + bearer("alice-token") + "\r\n\r\n");
  const UniqueFd idle = send_only(port, healthz);
  EXPECT_TRUE(receive(idle).starts_with("HTTP/1.1 200 "));
  const UniqueFd late = send_only(port, "GET / HT");
  let_time_pass_until(late);
  EXPECT_EQ(receive(late), "");
  EXPECT_FALSE(has_something(answering));
  leave.set_value();
  EXPECT_TRUE(receive(answering).starts_with("HTTP/1.1 200 "));
  wait_for_the_loop(idle);
}

}  // namespace
}  // namespace payg::test
