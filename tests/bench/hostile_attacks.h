#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/hostile_crowd.h"
#include "tests/bench/script.h"
#include "tests/support/harness/origin.h"
#include "tests/support/harness/proxy_process.h"

namespace payg::bench {

enum class HostileLedger {
  sqlite,
  postgres,
  postgres_stopped,  ///< PostgreSQL, which is stopped while the attack goes on
};

/// Where an attack takes place: a proxy of its own, and what stands around it.
struct Scene {
  const test::ProxyProcess& proxy;
  SocketAddress origin;
  SocketAddress sink;        ///< takes connections and a little of what is sent, and never says a word
  SocketAddress black_hole;  ///< never answers a SYN
};

struct Attack {
  std::string name;
  HostileLedger ledger = HostileLedger::sqlite;
  std::vector<std::string> proxy_lines{};        ///< of [proxy]
  std::optional<rlim_t> open_files{};            ///< that the proxy is started with
  std::optional<rlim_t> open_files_meanwhile{};  ///< while the attack goes on
  /// Makes the users that it needs; the crowd's members are those of the full size.
  std::function<Habit(const Scene& scene, std::size_t members)> prepare;
  std::size_t members = 0;
  std::size_t least_members = 2;  ///< at any scale
};

/// All there are, in the order of the table.
std::vector<Attack> all_attacks();

}  // namespace payg::bench
