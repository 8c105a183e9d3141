#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/door.h"
#include "tests/integration/metered_proxy.h"
#include "tests/integration/promises.h"

namespace payg::test {

/// A crowd that uses, buys and is given whatever happens to the proxy, and goes on with the next life of it:
/// tunnels and requests of many users and labels, purchases and adjustments that are asked for again with the
/// same Idempotency-Key until somebody answers, sessions that are looked at and ended. What it is told goes
/// into the promises.
class Customers {
 public:
  /// All of them are users of the ledger; each of them does all that is done.
  struct Accounts {
    std::vector<Account> rich;  ///< buy and browse
    Account thrifty;            ///< browses and is given nothing: his balance only falls
    Account poor;               ///< lives from hand to mouth, by small adjustments
  };

  /// Everything referred to outlives the customers.
  Customers(Door& door, Promises& promises, const Origin& echo, const Origin& web, Accounts accounts,
            std::uint64_t seed);
  /// Sends them home as they are, if they have not finished: closes the door for good.
  ~Customers();
  Customers(const Customers&) = delete;
  Customers& operator=(const Customers&) = delete;

  /// Waits until whatever was asked for has been answered, and nobody asks for anything more. REQUIRES: the
  /// door is open, and stays so.
  void finish();

  int unanswered() const {
    return unanswered_;
  }                                         ///< purchases and adjustments that had to be asked for again
  int tunnels() const { return tunnels_; }  ///< that carried something
  int ended() const { return ended_; }      ///< sessions, by DELETE

 private:
  using Random = std::mt19937_64;
  using Ask = std::function<AdminAnswer(const Door::Way&)>;

  void come(std::function<void()> activity);
  /// Does something again and again, whatever becomes of it, until all go home.
  void again_and_again(const std::function<void(const Door::Way&)>& activity);

  void browse(std::uint64_t seed);
  void open_tunnel(const Door::Way& way, Random& random, std::vector<RawClient>& tunnels);
  void fetch(std::uint64_t seed);
  void buy(const Account& account);
  void tip();
  void look_and_end(std::uint64_t seed);
  void look(const Door::Way& way, Random& random);

  const Account& anybody(Random& random) const;
  /// The answer's content, once there is one that is a success; nullopt: the door is closed for good.
  std::optional<nlohmann::json> ask_until_answered(const Ask& ask);
  std::optional<std::string> purchase(const Account& account, const std::string& key);

  Door& door_;
  Promises& promises_;
  const Origin& echo_;
  const Origin& web_;
  const Accounts accounts_;
  std::vector<Account> all_;
  std::atomic<bool> going_home_ = false;
  std::atomic<int> unanswered_ = 0, tunnels_ = 0, ended_ = 0;
  std::vector<std::thread> threads_;
};

/// As the operator: gives credits ("0.003") and returns the answer; once for each key.
AdminAnswer give_credits(const Door::Way& way, const Account& account, const std::string& credits,
                         const std::string& key);

}  // namespace payg::test
