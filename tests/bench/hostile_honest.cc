#include "tests/bench/hostile_honest.h"

#include <optional>
#include <string>
#include <utility>

#include "tests/support/harness/http_message.h"
#include "tests/support/harness/patience.h"
#include "tests/support/harness/socks_client.h"
#include "tests/support/harness/stream.h"

namespace payg::bench {
namespace {

using namespace std::chrono_literals;
using test::RawClient;

constexpr auto patience = 10s;

/// Throws when he is refused, and when no answer comes in time.
test::HttpResponse answer_to(RawClient& client, const std::string& request, const char* method) {
  client.send(request);
  if (!client.readable_within(patience)) throw test::HarnessError("no answer");
  auto response = test::read_response(client, method);
  if (response.status != 200) throw test::HarnessError("refused: " + response.head.start_line);
  return response;
}

RawClient tunnel(const Route& route) {
  RawClient client(route.entry());
  answer_to(client, greeting(route, Handshake::connect).front().send, "CONNECT");
  return client;
}

}  // namespace

HonestUser::HonestUser(Route route)
    : route_(std::move(route)),
      pinging_([this] { ping_all_the_time(); }),
      opening_([this] { open_all_the_time(); }) {}

HonestUser::~HonestUser() {
  stopping_ = true;
  changed_.notify_all();
  pinging_.join();
  opening_.join();
}

Waits HonestUser::take() {
  std::unique_lock lock(mutex_);
  // Whoever waits longest is what this is about; he does not wait for ever.
  changed_.wait_for(lock, patience, [this] { return waiting_ == 0; });
  return std::exchange(waits_, {});
}

void HonestUser::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return stopping_.load(); });
}

void HonestUser::note(std::vector<std::chrono::nanoseconds> Waits::*samples, std::size_t Waits::*failures,
                      const std::function<Outcome()>& attempt) {
  {
    const std::lock_guard lock(mutex_);
    ++waiting_;
  }
  const auto since = std::chrono::steady_clock::now();
  const Outcome outcome = attempt();
  const auto waited = std::chrono::steady_clock::now() - since;
  {
    const std::lock_guard lock(mutex_);
    --waiting_;
    if (outcome == Outcome::done) (waits_.*samples).push_back(waited);
    if (outcome == Outcome::failed) ++(waits_.*failures);
  }
  changed_.notify_all();
}

void HonestUser::ping_all_the_time() {
  std::optional<RawClient> client;
  const std::string request = "GET /small HTTP/1.1\r\nHost: " + route_.origin.to_string() + "\r\n\r\n";
  while (!stopping_) {
    try {
      if (!client) client = tunnel(route_);
    } catch (const test::HarnessError&) {
      pause(50ms);  // the other thread counts those
      continue;
    }
    note(&Waits::pings, &Waits::failed_pings, [&] {
      try {
        answer_to(*client, request, "GET");
        return Outcome::done;
      } catch (const test::HarnessError&) {
        client.reset();
        return Outcome::failed;
      }
    });
    pause(5ms);
  }
}

void HonestUser::open_all_the_time() {
  while (!stopping_) {
    note(&Waits::opens, &Waits::failed_opens, [&] {
      try {
        tunnel(route_);
        return Outcome::done;
      } catch (const test::HarnessError&) {
        return Outcome::failed;
      }
    });
    pause(50ms);
  }
}

}  // namespace payg::bench
