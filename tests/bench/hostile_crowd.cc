#include "tests/bench/hostile_crowd.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "plugin/base/unique_fd.h"

namespace payg::bench {
namespace {

using Time = std::chrono::steady_clock::time_point;

// A crowd that comes all at once would measure the kernel's queue instead of the proxy.
constexpr std::size_t most_opened_at_a_time = 256;
constexpr std::chrono::milliseconds tick{10};

/// What an answer begins with; empty: not enough of it is there.
std::string code_of(const std::string& answer) {
  if (answer.starts_with("HTTP/1.1 ")) return answer.size() < 12 ? std::string() : answer.substr(9, 3);
  if (answer.front() == 'H') return {};
  // SOCKS5: the method, then the verdict on the credentials (RFC 1929), then the reply.
  if (answer.size() < 2) return {};
  if (answer[1] != 2) return "method " + std::to_string(static_cast<unsigned char>(answer[1]));
  if (answer.size() < 4) return {};
  if (answer[3] != 0) return "credentials";
  return answer.size() < 6 ? std::string() : "reply " + std::to_string(answer[5]);
}

class Member {
 public:
  enum class State { away, connecting, there };

  State state() const { return state_; }
  bool is_answered() const { return is_answered_; }
  int fd() const { return fd_.get(); }

  void open(const Habit& habit, const SocketAddress& entry, std::uint64_t number, int epoll,
            std::uint32_t index);
  /// False: the connection is over.
  bool say(const std::string& more);
  bool read(Habit::Reading reading);
  bool go_on();
  void drip(const Habit& habit, Time now);
  void leave() {
    fd_.reset();
    state_ = State::away;
  }
  /// The code of the first answer, once.
  std::string take_code() {
    if (is_answered_ || heard_.empty()) return {};
    std::string code = code_of(heard_);
    is_answered_ = !code.empty();
    return code;
  }

 private:
  UniqueFd fd_;
  State state_ = State::away;
  bool is_answered_ = false;
  std::string unsaid_;
  std::string heard_;
  std::size_t dripped_ = 0;
  Time next_drip_;
};

/// Leaving by a reset keeps no port busy on either side.
void reset_when_closed(int fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void come_from(int fd, std::size_t which) {
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  in_addr address{.s_addr = htonl(0x7f010000U + static_cast<std::uint32_t>(which))};
  sockaddr_storage name{};
  const socklen_t length = SocketAddress(IpAddress::v4(address), 0).to(name);
  bind(fd, reinterpret_cast<const sockaddr*>(&name), length);
}

void Member::open(const Habit& habit, const SocketAddress& entry, std::uint64_t number, int epoll,
                  std::uint32_t index) {
  unsaid_ = habit.opening(number);
  heard_.clear();
  is_answered_ = false;
  dripped_ = 0;
  next_drip_ = std::chrono::steady_clock::now() + habit.beat;
  fd_.reset(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) return;
  reset_when_closed(fd());
  if (habit.addresses > 1) come_from(fd(), number % habit.addresses);
  if (habit.reading == Habit::Reading::a_byte_a_beat) {
    const int least = 1;
    setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
  }
  sockaddr_storage name{};
  const socklen_t length = entry.to(name);
  const bool failed = connect(fd(), reinterpret_cast<sockaddr*>(&name), length) != 0 && errno != EINPROGRESS;
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u32 = index}};
  if (failed || epoll_ctl(epoll, EPOLL_CTL_ADD, fd(), &event) != 0) return leave();
  state_ = State::connecting;
}

bool Member::say(const std::string& more) {
  unsaid_ += more;
  while (!unsaid_.empty()) {
    const ssize_t sent = send(fd(), unsaid_.data(), unsaid_.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    unsaid_.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

bool Member::read(Habit::Reading reading) {
  static constexpr std::size_t remembered = 16;
  std::array<char, 65536> bytes;
  const std::size_t wanted = reading == Habit::Reading::everything ? bytes.size() : 1;
  for (;;) {
    const ssize_t got = recv(fd(), bytes.data(), wanted, 0);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    if (heard_.size() < remembered) heard_.append(bytes.data(), static_cast<std::size_t>(got));
    if (reading == Habit::Reading::a_byte_a_beat) return true;
  }
}

bool Member::go_on() {
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return false;
    if (!peer_address(fd())) return true;
    state_ = State::there;
  }
  return say({});
}

void Member::drip(const Habit& habit, Time now) {
  if (state_ != State::there || now < next_drip_) return;
  next_drip_ = now + habit.beat;
  if (habit.reading == Habit::Reading::a_byte_a_beat && !read(habit.reading)) return leave();
  if (!habit.drip.empty() && unsaid_.empty() && !say({habit.drip[dripped_++ % habit.drip.size()]})) leave();
}

class Stage {
 public:
  Stage(const SocketAddress& entry, const Habit& habit, CrowdFate& fate)
      : entry_(entry),
        habit_(habit),
        fate_(fate),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        members_(habit.members) {}

  void run(const std::atomic<bool>& stopping) {
    std::array<epoll_event, 256> events;
    while (!stopping) {
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), wait_ms());
      for (int i = 0; i < count; ++i) handle(members_[events[static_cast<std::size_t>(i)].data.u32]);
      if (std::chrono::steady_clock::now() >= next_tick_) on_tick();
    }
  }

 private:
  int wait_ms() const {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(next_tick_ - std::chrono::steady_clock::now());
    return std::max(0, static_cast<int>(left.count()));
  }

  void handle(Member& member) {
    if (member.state() == Member::State::away) return;
    bool stands = member.go_on();
    if (stands && member.state() == Member::State::there && habit_.reading == Habit::Reading::everything)
      stands = member.read(habit_.reading);
    note(member);
    if (!stands) return lose(member);
    if (member.is_answered() && habit_.answered == Habit::Answered::comes_back) member.leave();
  }

  void note(Member& member) {
    if (const std::string code = member.take_code(); !code.empty()) ++fate_.answers[code];
  }
  void lose(Member& member) {
    if (!member.is_answered()) ++fate_.answers["closed"];
    member.leave();
  }

  void on_tick() {
    const Time now = std::chrono::steady_clock::now();
    next_tick_ = now + tick;
    std::size_t opened = 0;
    for (std::uint32_t i = 0; i < members_.size(); ++i) {
      Member& member = members_[i];
      if (member.state() == Member::State::away) {
        if (opened++ >= most_opened_at_a_time) continue;
        member.open(habit_, entry_, fate_.connections++, epoll_.get(), i);
        continue;
      }
      member.drip(habit_, now);
      note(member);
      if (member.state() == Member::State::away) lose(member);
    }
  }

  const SocketAddress& entry_;
  const Habit& habit_;
  CrowdFate& fate_;
  UniqueFd epoll_;
  std::vector<Member> members_;
  Time next_tick_ = std::chrono::steady_clock::now();
};

}  // namespace

Crowd::Crowd(const SocketAddress& entry, Habit habit)
    : entry_(entry), habit_(std::move(habit)), thread_([this] { run(); }) {}

Crowd::~Crowd() {
  if (thread_.joinable()) stop();
}

void Crowd::run() {
  Stage(entry_, habit_, fate_).run(stopping_);
}

CrowdFate Crowd::stop() {
  stopping_ = true;
  thread_.join();
  return std::move(fate_);
}

}  // namespace payg::bench
