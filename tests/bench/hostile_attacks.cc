#include "tests/bench/hostile_attacks.h"

#include <utility>

#include "tests/support/harness/socks_client.h"

namespace payg::bench {
namespace {

using namespace std::chrono_literals;
using Ledger = HostileLedger;
using test::basic_credentials;

// Below the limit of connections that the attacks are made with, for their own tunnels to stand.
constexpr std::size_t connections_of_a_user = 500;

struct Credentials {
  std::string name;
  std::string token;
};

enum class Purse { full, empty };

std::vector<Credentials> make_users(const Scene& scene, std::size_t count, Purse purse) {
  const auto as_operator = scene.proxy.operator_client();
  std::vector<Credentials> users;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = "attacker" + std::to_string(i);
    users.push_back({name, as_operator.create_user(name)});
    if (purse == Purse::full) as_operator.add_credits(name, "1000");
  }
  return users;
}

/// Enough of them for so many connections at a time.
std::vector<Credentials> make_paying_users(const Scene& scene, std::size_t connections) {
  return make_users(scene, connections / connections_of_a_user + 1, Purse::full);
}

std::string authorization(const Credentials& user) {
  return "Proxy-Authorization: " + basic_credentials(user.name, user.token) + "\r\n";
}

std::string connect_to(const SocketAddress& target, const std::string& fields) {
  const std::string authority = target.to_string();
  return "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n" + fields + "\r\n";
}

/// CONNECT with the credentials of each user by turns, and `behind` it in the same breath.
std::function<std::string(std::uint64_t)> tunnels(const SocketAddress& target, std::vector<Credentials> users,
                                                  std::string behind = {}) {
  return [target, users = std::move(users), behind = std::move(behind)](std::uint64_t connection) {
    return connect_to(target, authorization(users[connection % users.size()])) + behind;
  };
}

// ---- slow ones

Habit slow_heads(const Scene& scene, std::size_t members) {
  const std::string authority = scene.origin.to_string();
  return {.members = members,
          .opening =
              [authority](std::uint64_t) {
                return "GET http://" + authority + "/ HTTP/1.1\r\nHost: " + authority + "\r\nX-Slow: ";
              },
          .drip = "slowly",
          .beat = 500ms};
}

/// Nearly as much of a head as is taken, at once, and then nothing.
Habit large_heads(const Scene&, std::size_t members) {
  return {.members = members, .opening = [](std::uint64_t) {
            return "GET http://127.0.0.1/ HTTP/1.1\r\nX-Large: " + std::string(60'000, 'x');
          }};
}

Habit slow_bodies(const Scene& scene, std::size_t members) {
  const std::string authority = scene.sink.to_string();
  return {.members = members,
          .opening =
              [authority, users = make_paying_users(scene, members)](std::uint64_t connection) {
                return "POST http://" + authority + "/ HTTP/1.1\r\nHost: " + authority + "\r\n" +
                       authorization(users[connection % users.size()]) + "Content-Length: 1000000\r\n\r\n";
              },
          .drip = "slowly",
          .beat = 500ms};
}

Habit socks_drips(const Scene&, std::size_t members) {
  return {.members = members,
          .opening = [](std::uint64_t) { return std::string("\x05\xff"); },
          .drip = "\x02",
          .beat = 500ms};
}

Habit slow_readers(const Scene& scene, std::size_t members) {
  const std::string request =
      "GET /bulk/1000000000 HTTP/1.1\r\nHost: " + scene.origin.to_string() + "\r\n\r\n";
  return {.members = members,
          .opening = tunnels(scene.origin, make_paying_users(scene, members), request),
          .beat = 100ms,
          .reading = Habit::Reading::a_byte_a_beat};
}

// ---- many

Habit idle_tunnels(const Scene& scene, std::size_t members) {
  const std::string request = "GET /small HTTP/1.1\r\nHost: " + scene.origin.to_string() + "\r\n\r\n";
  return {.members = members, .opening = tunnels(scene.origin, make_paying_users(scene, members), request)};
}

Habit silent_connections(const Scene&, std::size_t members) {
  return {.members = members, .opening = [](std::uint64_t) { return std::string(); }};
}

Habit dials_without_end(const Scene& scene, std::size_t members) {
  // All of one user: those beyond his limit are to be refused.
  return {.members = members,
          .opening = tunnels(scene.black_hole, make_users(scene, 1, Purse::full)),
          .answered = Habit::Answered::comes_back};
}

// ---- those who will not hear

/// Names that nobody has, and between them the honest user's, with tokens that nobody has.
Habit guesses(const Scene& scene, std::size_t members, std::size_t addresses) {
  return {.members = members,
          .opening =
              [origin = scene.origin](std::uint64_t connection) {
                const std::string number = std::to_string(connection);
                return connect_to(origin, authorization({connection % 2 == 0 ? "nobody" + number : "honest",
                                                         "a guess " + number}));
              },
          .answered = Habit::Answered::comes_back,
          .addresses = addresses};
}

Habit guesses_of_one(const Scene& scene, std::size_t members) {
  return guesses(scene, members, 1);
}

Habit guesses_of_many(const Scene& scene, std::size_t members) {
  return guesses(scene, members, 100 * members);
}

Habit socks_guesses(const Scene& scene, std::size_t members) {
  return {.members = members,
          .opening =
              [origin = scene.origin](std::uint64_t connection) {
                return test::socks::greeting(test::socks::user_and_password) +
                       test::socks::password("nobody" + std::to_string(connection), "a guess") +
                       test::socks::connect_to(origin);
              },
          .answered = Habit::Answered::comes_back};
}

Habit empty_purses(const Scene& scene, std::size_t members) {
  return {.members = members,
          .opening = tunnels(scene.origin, make_users(scene, 2 * members, Purse::empty)),
          .answered = Habit::Answered::comes_back};
}

/// A label of its own for each connection: none of them is in a session that goes on.
Habit new_sessions(const Scene& scene, std::size_t members) {
  return {.members = members,
          .opening =
              [origin = scene.origin, users = make_paying_users(scene, 1)](std::uint64_t connection) {
                const Credentials& user = users.front();
                return connect_to(origin, authorization({user.name + "-session-" + std::to_string(connection),
                                                         user.token}));
              },
          .answered = Habit::Answered::comes_back};
}

}  // namespace

std::vector<Attack> all_attacks() {
  const std::string soon = "handshake_timeout = \"2s\"";
  return {
      {.name = "heads, a byte at a time", .proxy_lines = {soon}, .prepare = slow_heads, .members = 2000},
      {.name = "large heads without an end", .proxy_lines = {soon}, .prepare = large_heads, .members = 2000},
      {.name = "bodies, a byte at a time", .prepare = slow_bodies, .members = 2000},
      {.name = "SOCKS5, a byte at a time", .proxy_lines = {soon}, .prepare = socks_drips, .members = 2000},
      {.name = "downloads, read slowly", .prepare = slow_readers, .members = 200},
      {.name = "idle tunnels",
       .proxy_lines = {"max_connections = 9000"},
       .prepare = idle_tunnels,
       .members = 8000},
      {.name = "dials to a black hole",
       .proxy_lines = {"connect_timeout = \"2s\""},
       .prepare = dials_without_end,
       .members = 1000},
      {.name = "wrong tokens, one address", .prepare = guesses_of_one, .members = 32},
      {.name = "wrong tokens, one address",
       .ledger = Ledger::postgres,
       .prepare = guesses_of_one,
       .members = 32},
      {.name = "wrong tokens, SOCKS5", .prepare = socks_guesses, .members = 32},
      {.name = "wrong tokens, many addresses", .prepare = guesses_of_many, .members = 32},
      {.name = "wrong tokens, many addresses",
       .ledger = Ledger::postgres,
       .prepare = guesses_of_many,
       .members = 32},
      {.name = "empty balances", .prepare = empty_purses, .members = 32},
      {.name = "empty balances", .ledger = Ledger::postgres, .prepare = empty_purses, .members = 32},
      {.name = "new sessions in an outage",
       .ledger = Ledger::postgres_stopped,
       .prepare = new_sessions,
       .members = 32},
      {.name = "no descriptors left",
       .proxy_lines = {soon},
       .open_files = 256,
       .prepare = silent_connections,
       .members = 400,
       .least_members = 400},
      {.name = "no descriptors left (EMFILE)",
       .proxy_lines = {soon},
       .open_files_meanwhile = 256,
       .prepare = silent_connections,
       .members = 400,
       .least_members = 400},
  };
}

}  // namespace payg::bench
