#include "tests/bench/flow.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace payg::bench {

bool Flow::open(const SocketAddress& entry, int epoll, std::uint32_t index) {
  connected_ = false;
  fd_.reset(socket(entry.ip().is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) return false;
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_storage address{};
  const socklen_t length = entry.to(address);
  if (connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 && errno != EINPROGRESS)
    return false;
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u32 = index}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd_.get(), &event) == 0;
}

void Flow::begin(const std::vector<Step>& steps) {
  steps_ = &steps;
  step_ = 0;
  sent_ = 0;
}

Flow::Progress Flow::advance() {
  if (!connected_) {
    if (const auto progress = connect_done(); progress != Progress::steps_done) return progress;
  }
  for (; step_ < steps_->size(); ++step_, sent_ = 0) {
    const Step& step = (*steps_)[step_];
    if (sent_ < step.send.size()) {
      if (const auto progress = send_rest(step); progress != Progress::steps_done) return progress;
    }
    if (const auto progress = read_reply(step); progress != Progress::steps_done) return progress;
  }
  return Progress::steps_done;
}

Flow::Progress Flow::connect_done() {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return Progress::failed;
  if (!peer_address(fd_.get())) return Progress::waiting;
  connected_ = true;
  return Progress::steps_done;
}

Flow::Progress Flow::send_rest(const Step& step) {
  while (sent_ < step.send.size()) {
    const ssize_t sent =
        send(fd_.get(), step.send.data() + sent_, step.send.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN ? Progress::waiting : Progress::failed;
    sent_ += static_cast<std::size_t>(sent);
  }
  head_.clear();
  in_head_ = step.reply == Step::Reply::http;
  left_ = step.length;
  return Progress::steps_done;
}

Flow::Progress Flow::read_reply(const Step& step) {
  static std::array<char, 256 * 1024> buffer;
  while (in_head_ || left_ > 0) {
    // The length of a head is not known before it is there; of anything else no byte too many is read.
    const std::size_t wanted = in_head_ ? buffer.size() : std::min(left_, buffer.size());
    const ssize_t got = recv(fd_.get(), buffer.data(), wanted, 0);
    if (got < 0) return errno == EAGAIN ? Progress::waiting : Progress::failed;
    if (got == 0 || !take(step, buffer.data(), static_cast<std::size_t>(got))) return Progress::failed;
  }
  return Progress::steps_done;
}

Flow::Drained Flow::drain() {
  std::array<char, 4096> buffer;
  Drained drained;
  ssize_t got = 0;
  while ((got = recv(fd_.get(), buffer.data(), buffer.size(), 0)) > 0)
    drained.bytes += static_cast<std::size_t>(got);
  if (got == 0 || errno != EAGAIN) drained.peer = Drained::Peer::gone;
  return drained;
}

/// False: the reply is not what the step wants.
bool Flow::take(const Step& step, const char* bytes, std::size_t count) {
  if (in_head_) {
    head_.append(bytes, count);
    return end_of_head(step);
  }
  if (count > left_) return false;
  left_ -= count;
  if (head_.size() < step.prefix.size())
    head_.append(bytes, std::min(count, step.prefix.size() - head_.size()));
  return left_ > 0 || head_.starts_with(step.prefix);
}

bool Flow::end_of_head(const Step& step) {
  const std::size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos) return head_.size() < 65536;
  if (!head_.starts_with("HTTP/1.1 200")) return false;
  const std::size_t body = head_.size() - end - 4;
  if (body > step.length) return false;
  in_head_ = false;
  left_ = step.length - body;
  return true;
}

}  // namespace payg::bench
