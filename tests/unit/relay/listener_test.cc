#include "proxy/listener.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <vector>

#include "tests/support/harness/patience.h"

namespace payg::proxy {
namespace {

/// No file descriptor is left to this process while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    // The kernel gives the lowest number that is free; from there on there is none.
    const UniqueFd lowest_free(dup(STDIN_FILENO));
    EXPECT_TRUE(lowest_free);
    none.rlim_cur = static_cast<rlim_t>(lowest_free.get());
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

class ListenerTest : public testing::Test, public ListenerHandler {
 protected:
  void on_accepted(UniqueFd fd, const SocketAddress&, const Entrance&) noexcept override {
    accepted_.push_back(std::move(fd));
  }
  void on_accept_paused() noexcept override { ++pauses_; }

  UniqueFd connect() const {
    UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage;
    const socklen_t length = address_.to(storage);
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
    return client;
  }
  void go_round() { event_base_loop(loop_.base(), EVLOOP_NONBLOCK); }
  bool comes_to_accept(std::size_t count) {
    return test::eventually([&] {
      go_round();
      return accepted_.size() == count;
    });
  }

  EventLoop loop_;
  UniqueFd listening_ = listen_on(*SocketAddress::parse("127.0.0.1:0"));
  const SocketAddress address_ = *local_address(listening_.get());
  static constexpr int places = 100;
  ConnectionLimit limit_{places};
  std::vector<UniqueFd> accepted_;
  int pauses_ = 0;
  Listener listener_{loop_.base(), std::move(listening_), Entrance{}, limit_, *this};
};

TEST_F(ListenerTest, WithoutADescriptorPausesInsteadOfSpinningAndComesBack) {
  const UniqueFd first = connect();
  ASSERT_TRUE(comes_to_accept(1));  // UBSan, too, needs a descriptor for the first look at a handler
  const UniqueFd second = connect(), third = connect();
  constexpr int rounds = 1000;
  {
    const NoDescriptors none;
    ASSERT_TRUE(test::eventually([&] {
      go_round();
      return pauses_ > 0;
    }));
    for (int i = 0; i < rounds; ++i) go_round();
  }
  // One that spins would have tried, and paused, in each of the rounds.
  EXPECT_LT(pauses_, rounds / 2);
  EXPECT_EQ(accepted_.size(), 1U);
  EXPECT_TRUE(comes_to_accept(3));
  // Places that no descriptor was found for were given back.
  for (int place = 3; place < places; ++place) EXPECT_TRUE(limit_.enter()) << place;
  EXPECT_FALSE(limit_.enter());
}

}  // namespace
}  // namespace payg::proxy
