#include "tests/bench/origin.h"

#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <charconv>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "plugin/base/unique_fd.h"

namespace payg::bench {
namespace {

std::string head_for(std::size_t body_bytes) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n\r\n";
}

/// One client of the origin.
class Visitor {
 public:
  enum class State { open, gone };

  explicit Visitor(int fd) : fd_(fd) {}

  int fd() const { return fd_.get(); }
  bool drips() const { return drips_; }
  bool wants_to_write() const { return written_ < pending_.size() || bulk_left_ > 0; }

  State on_readable() {
    std::array<char, 16384> buffer;
    const ssize_t got = recv(fd(), buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN ? State::open : State::gone;
    if (got == 0) return State::gone;
    requests_.append(buffer.data(), static_cast<std::size_t>(got));
    answer_requests();
    return on_writable();
  }

  State on_writable() {
    static const std::string zeros(std::size_t{256} * 1024, '\0');
    while (wants_to_write()) {
      const bool head = written_ < pending_.size();
      const char* from = head ? pending_.data() + written_ : zeros.data();
      const std::size_t count = head ? pending_.size() - written_ : std::min(bulk_left_, zeros.size());
      const ssize_t sent = send(fd(), from, count, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN ? State::open : State::gone;
      (head ? written_ : bulk_left_) += static_cast<std::size_t>(head ? sent : -sent);
    }
    pending_.clear();
    written_ = 0;
    return State::open;
  }

  void drip() const { send(fd(), "drip", 4, MSG_NOSIGNAL | MSG_DONTWAIT); }

 private:
  void answer_requests() {
    for (std::size_t end; (end = requests_.find("\r\n\r\n")) != std::string::npos;) {
      const std::string path = requests_.substr(4, requests_.find(' ', 4) - 4);
      requests_.erase(0, end + 4);
      if (path.starts_with("/bulk/")) {
        std::from_chars(path.data() + 6, path.data() + path.size(), bulk_left_);
        pending_ += head_for(bulk_left_);
      } else if (path == "/drip") {
        pending_ += "HTTP/1.1 200 OK\r\n\r\n";
        drips_ = true;
      } else {
        pending_ += head_for(Origin::small_body_bytes) + std::string(Origin::small_body_bytes, 'x');
      }
    }
  }

  UniqueFd fd_;
  std::string requests_;
  std::string pending_;
  std::size_t written_ = 0;
  std::size_t bulk_left_ = 0;
  bool drips_ = false;
};

class Server {
 public:
  explicit Server(UniqueFd listener) : listener_(std::move(listener)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    watch(listener_.get(), EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int drip_interval_ms = drippers_.empty() ? -1 : 1;
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), drip_interval_ms);
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)]);
      for (const int fd : drippers_) visitors_.at(fd)->drip();
    }
  }

 private:
  void watch(int fd, std::uint32_t what) {
    epoll_event event{.events = what, .data = {.fd = fd}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  void handle(const epoll_event& event) {
    if (event.data.fd == listener_.get()) return accept_all();
    Visitor& visitor = *visitors_.at(event.data.fd);
    auto state = Visitor::State::open;
    if ((event.events & EPOLLOUT) != 0) state = visitor.on_writable();
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) state = visitor.on_readable();
    if (state == Visitor::State::gone) {
      drippers_.erase(event.data.fd);
      visitors_.erase(event.data.fd);
    } else if (visitor.drips()) {
      drippers_.insert(event.data.fd);
    }
  }

  void accept_all() {
    for (int fd; (fd = accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      visitors_.emplace(fd, std::make_unique<Visitor>(fd));
      watch(fd, EPOLLIN | EPOLLOUT | EPOLLET);
    }
  }

  UniqueFd listener_;
  UniqueFd epoll_;
  std::unordered_map<int, std::unique_ptr<Visitor>> visitors_;
  std::set<int> drippers_;
};

UniqueFd listen_on_loopback() {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  const socklen_t length = SocketAddress(*IpAddress::parse("127.0.0.1"), 0).to(address);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      listen(listener.get(), 4096) != 0)
    throw std::runtime_error("the benchmark's origin cannot listen on 127.0.0.1");
  return listener;
}

}  // namespace

Origin::Origin() {
  UniqueFd listener = listen_on_loopback();
  address_ = local_address(listener.get()).value();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("the benchmark's origin cannot be forked");
  if (pid_ > 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Server(std::move(listener)).run();
}

Origin::~Origin() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace payg::bench
