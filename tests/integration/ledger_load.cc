#include "tests/integration/ledger_load.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <sstream>

namespace payg::test {

Loop::Loop(std::function<void()> turn) : turn_(std::move(turn)), thread_([this] { run(); }) {}

void Loop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Loop::run() {
  constexpr std::chrono::milliseconds rest{3};
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, rest, [this] { return stopping_; })) {
    lock.unlock();
    turn_();
    lock.lock();
  }
}

std::vector<Account> many_users(const MeteredProxy& metered, const std::string& prefix, int count,
                                const std::string& credits) {
  std::vector<Account> accounts;
  for (int i = 0; i < count; ++i) accounts.push_back(metered.user(prefix + std::to_string(i), credits));
  return accounts;
}

// ---- tunnels

namespace {

/// False: the tunnel has ended, or nothing comes back through it.
bool makes_a_round_trip(RawClient& tunnel) {
  try {
    return tunnel.try_send("x") && !tunnel.at_end() && tunnel.read_exactly(1) == "x";
  } catch (const HarnessError&) {
    return false;
  }
}

}  // namespace

PingPong::PingPong(const MeteredProxy& metered, const std::vector<Account>& accounts)
    : tunnels_([&] {
        std::vector<RawClient> tunnels;
        for (const Account& account : accounts) tunnels.push_back(metered.http_tunnel(account, echo_));
        return tunnels;
      }()),
      loop_([this] { go_round(); }) {}

void PingPong::go_round() {
  for (auto tunnel = tunnels_.begin(); tunnel != tunnels_.end();) {
    const auto begin = std::chrono::steady_clock::now();
    const bool came_back = makes_a_round_trip(*tunnel);
    const auto time = std::chrono::steady_clock::now() - begin;
    const std::lock_guard lock(mutex_);
    if (came_back) {
      ++round_trips_;
      times_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(time));
      ++tunnel;
    } else {
      ++broken_;
      tunnel = tunnels_.erase(tunnel);
    }
  }
}

std::size_t PingPong::round_trips() const {
  const std::lock_guard lock(mutex_);
  return round_trips_;
}

void PingPong::wait_for(std::size_t more) const {
  const std::size_t enough = round_trips() + more;
  if (!eventually([&] { return round_trips() >= enough; })) throw HarnessError("the tunnels stand still");
}

int PingPong::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

PingPong::Latency PingPong::take_latency() {
  std::vector<std::chrono::microseconds> times;
  {
    const std::lock_guard lock(mutex_);
    times.swap(times_);
  }
  if (times.empty()) return {};
  std::sort(times.begin(), times.end());
  return {.count = times.size(),
          .median = times[times.size() / 2],
          .p99 = times[times.size() * 99 / 100],
          .worst = times.back()};
}

std::ostream& operator<<(std::ostream& out, const PingPong::Latency& latency) {
  return out << latency.count << " round trips, median " << latency.median.count() << " us, p99 "
             << latency.p99.count() << " us, worst " << latency.worst.count() << " us";
}

void PingPong::stop() {
  loop_.stop();
  tunnels_.clear();
}

// ---- purchases

Shopper::Shopper(const MeteredProxy& metered, const Account& account)
    : metered_(metered), account_(account), loop_([this] { buy(); }) {}

void Shopper::buy() {
  const std::string key = account_.name + "-" + std::to_string(number_);
  try {
    note(metered_.client(account_).post("/api/credits/purchase", R"({"amount":10})",
                                        {{"Idempotency-Key", key}}));
  } catch (const HarnessError& error) {
    const std::lock_guard lock(mutex_);
    oddities_.emplace_back(error.what());
  }
}

void Shopper::note(const AdminAnswer& answer) {
  const std::lock_guard lock(mutex_);
  if (answer.status() == 201 || answer.status() == 200) {
    references_.push_back(answer.json().at("reference").get<std::string>());
    ++number_;
  } else if (answer.status() == 503) {
    ++refused_;
  } else {
    oddities_.push_back(answer.response.head.raw + answer.response.body.content);
  }
}

int Shopper::bought() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(references_.size());
}

int Shopper::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void Shopper::wait_for(int more) const {
  const int enough = bought() + more;
  if (!eventually([&] { return bought() >= enough; })) throw HarnessError("nothing can be bought");
}

void Shopper::stop_and_check() {
  wait_for(1);  // also what was refused last has been asked for again then
  loop_.stop();
  const AdminClient client = metered_.client(account_);
  for (const std::string& reference : references_) {
    const auto order = client.get("/api/credits/orders/" + reference);
    EXPECT_EQ(order.status(), 200) << reference << " was acknowledged";
    EXPECT_EQ(order.json().value("status", ""), "paid") << reference;
  }
  EXPECT_EQ(oddities_, std::vector<std::string>());
  constexpr std::int64_t package = 10'000 * units_per_second;
  const auto paid = static_cast<std::int64_t>(references_.size()) * package;
  // The purchase that the loop was stopped in may have been done and not acknowledged.
  const std::int64_t more = client.balance_units() - paid;
  EXPECT_TRUE(more == 0 || more == package) << more;
}

// ---- the books

double metric(const MeteredProxy& metered, const std::string& name) {
  std::istringstream lines(metered.operator_client().get("/metrics").response.body.content);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
  }
  throw HarnessError("no metric " + name);
}

namespace {

/// nullopt: he has a live session, or the ledger cannot be asked.
std::optional<std::int64_t> posted_in_the_end(const MeteredProxy& metered, const Account& account) {
  const auto sessions = metered.client(account).get("/api/sessions");
  if (sessions.status() == 503 || !sessions.json().at("sessions").empty()) return std::nullopt;
  return metered.posted_usage_units(account);
}

}  // namespace

void expect_everything_settled(const MeteredProxy& metered, const std::vector<Account>& accounts) {
  EXPECT_TRUE(eventually([&] {
    return metric(metered, "payg_sessions_live") == 0 && metric(metered, "payg_charges_owed") == 0;
  }));
  std::int64_t posted = 0;
  for (const Account& account : accounts) {
    std::optional<std::int64_t> of_one;
    EXPECT_TRUE(eventually([&] { return (of_one = posted_in_the_end(metered, account)).has_value(); }))
        << account.name;
    posted += of_one.value_or(0);
  }
  EXPECT_EQ(posted, static_cast<std::int64_t>(metric(metered, "payg_charged_units_total")));
}

}  // namespace payg::test
