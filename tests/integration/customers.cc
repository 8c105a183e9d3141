#include "tests/integration/customers.h"

#include <nlohmann/json.hpp>

namespace payg::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kept_tunnels = 4;  // of each who browses
// So that a crowd on a small machine leaves the proxy something to run on.
constexpr auto pause_of_browsers = 2ms, pause_of_buyers = 5ms, pause_of_lookers = 10ms;

std::size_t below(std::size_t limit, std::mt19937_64& random) {
  return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
}

std::string with_label(const Account& account, std::mt19937_64& random) {
  constexpr std::array labels = {"", "-session-blue", "-session-red"};
  return account.name + labels[below(labels.size(), random)];
}

}  // namespace

Customers::Customers(Door& door, Promises& promises, const Origin& echo, const Origin& web, Accounts accounts,
                     std::uint64_t seed)
    : door_(door),
      promises_(promises),
      echo_(echo),
      web_(web),
      accounts_(std::move(accounts)),
      all_(accounts_.rich) {
  all_.insert(all_.end(), {accounts_.thrifty, accounts_.poor});
  for (std::uint64_t one = 1; one <= 2; ++one) come([this, seed, one] { browse(seed + one); });
  come([this, seed] { fetch(seed); });
  for (const Account& account : accounts_.rich) come([this, &account] { buy(account); });
  come([this] { tip(); });
  come([this, seed] { look_and_end(seed); });
}

Customers::~Customers() {
  going_home_ = true;
  door_.close_for_good();
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Customers::finish() {
  going_home_ = true;
  for (auto& thread : threads_) thread.join();
}

void Customers::come(std::function<void()> activity) {
  threads_.emplace_back([activity = std::move(activity)] {
    try {
      activity();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  });
}

void Customers::again_and_again(const std::function<void(const Door::Way&)>& activity) {
  while (!going_home_) {
    const auto way = door_.wait();
    if (!way) return;
    try {
      activity(*way);
    } catch (const HarnessError&) {
      // The proxy was killed, or the session was cut: this is what they are here for.
      std::this_thread::sleep_for(pause_of_browsers);
    }
  }
}

// ---- using

const Account& Customers::anybody(Random& random) const {
  return all_[below(all_.size(), random)];
}

void Customers::browse(std::uint64_t seed) {
  Random random(seed);
  std::vector<RawClient> tunnels;
  again_and_again([&](const Door::Way& way) {
    std::this_thread::sleep_for(pause_of_browsers);
    if (tunnels.size() >= kept_tunnels)
      tunnels.erase(tunnels.begin() + static_cast<std::ptrdiff_t>(below(tunnels.size(), random)));
    open_tunnel(way, random, tunnels);
  });
}

void Customers::open_tunnel(const Door::Way& way, Random& random, std::vector<RawClient>& tunnels) {
  const Account& account = anybody(random);
  const std::string name = with_label(account, random);
  RawClient client(way.proxy);
  const bool is_open =
      below(2, random) == 0
          ? http_connect(client, echo_.authority(), name, account.token).status == 200
          : socks::open(client, socks::connect_to(echo_.address()), name, account.token).code == 0;
  if (!is_open) return;  // he has no credits at this moment, or the proxy is about to go
  client.send("ping");
  if (client.read_exactly(4) == "ping") ++tunnels_;
  tunnels.push_back(std::move(client));
}

/// Many users on one connection that is kept alive.
void Customers::fetch(std::uint64_t seed) {
  Random random(seed);
  again_and_again([&](const Door::Way& way) {
    RawClient client(way.proxy);
    while (!going_home_) {
      const Account& account = anybody(random);
      client.send(get_as({with_label(account, random), account.token}, web_));
      if (read_response(client).head.field("Connection") == "close") return;
      std::this_thread::sleep_for(pause_of_browsers);
    }
  });
}

// ---- paying

std::optional<nlohmann::json> Customers::ask_until_answered(const Ask& ask) {
  for (;; ++unanswered_) {
    const auto way = door_.wait();
    if (!way) return std::nullopt;
    try {
      const AdminAnswer answer = ask(*way);
      if (answer.status() / 100 == 2) return answer.json();
      EXPECT_EQ(answer.status(), 503) << answer.response.body.content;
    } catch (const HarnessError&) {
      // No answer, or half of one: it may have been done or not.
    }
    std::this_thread::sleep_for(pause_of_buyers);
  }
}

std::optional<std::string> Customers::purchase(const Account& account, const std::string& key) {
  const auto answer = ask_until_answered([&](const Door::Way& way) {
    return AdminClient(way.admin, account.token)
        .post("/api/credits/purchase", R"({"amount":10})", {{"Idempotency-Key", key}});
  });
  if (!answer) return std::nullopt;
  EXPECT_EQ(answer->at("status"), "paid");
  return answer->at("reference").get<std::string>();
}

void Customers::buy(const Account& account) {
  for (int number = 1; !going_home_; ++number) {
    const std::string key = account.name + "-" + std::to_string(number);
    const auto reference = purchase(account, key);
    if (!reference) return;
    promises_.purchase_answered(key, *reference);
    if (number % 4 == 0 && !going_home_) {
      const auto again = purchase(account, key);
      if (again) {
        EXPECT_EQ(*again, *reference) << "asked again, with the key of an order that was paid";
      }
    }
    std::this_thread::sleep_for(pause_of_buyers);
  }
}

void Customers::tip() {
  for (int number = 1; !going_home_; ++number) {
    const std::string key = "tip-" + std::to_string(number);
    const auto answer = ask_until_answered(
        [&](const Door::Way& way) { return give_credits(way, accounts_.poor, "0.00003", key); });
    if (!answer) return;
    promises_.adjustment_answered(answer->at("reference"), answer->at("credits_units"));
    std::this_thread::sleep_for(pause_of_buyers);
  }
}

// ---- looking

void Customers::look_and_end(std::uint64_t seed) {
  Random random(seed);
  std::int64_t least = INT64_MAX;
  again_and_again([&](const Door::Way& way) {
    std::this_thread::sleep_for(pause_of_lookers);
    look(way, random);
    const std::int64_t balance = AdminClient(way.admin, accounts_.thrifty.token).balance_units();
    EXPECT_LE(balance, least) << "a charge that was shown was taken back";
    least = balance;
  });
}

void Customers::look(const Door::Way& way, Random& random) {
  const AdminClient as_operator(way.admin, operator_token);
  const AdminAnswer answer = as_operator.get("/api/sessions");
  if (answer.status() != 200) return;
  const auto sessions = answer.json().at("sessions");
  for (const auto& session : sessions) promises_.charge_shown(session.at("id"), session.at("charged_units"));
  if (sessions.empty()) return;
  const std::string id = sessions.at(below(sessions.size(), random)).at("id");
  const int status = as_operator.call("DELETE", "/api/sessions/" + id, "", {}).status();
  if (status == 204) ++ended_;
}

AdminAnswer give_credits(const Door::Way& way, const Account& account, const std::string& credits,
                         const std::string& key) {
  const nlohmann::json body = {{"credits", credits}, {"reason", "for a test"}};
  return AdminClient(way.admin, operator_token)
      .post("/api/admin/users/" + account.name + "/credits", body.dump(), {{"Idempotency-Key", key}});
}

}  // namespace payg::test
