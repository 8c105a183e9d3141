#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace payg::bench {

struct Options {
  std::chrono::milliseconds duration{5000};  ///< of each row
  std::optional<std::size_t> operations;     ///< of each row, instead of a duration
  std::size_t flows = 64;
  std::size_t bulk_flows = 4;
  std::size_t bulk_bytes = std::size_t{64} * 1024 * 1024;
  std::size_t idle_tunnels = 5000;
  std::size_t cut_sessions = 200;
  std::int64_t audit_users = 100'000;  ///< ten transactions each; 0: no audit
  std::string json_file;               ///< empty: none is written
  // A proxy that runs already, instead of those that the benchmark starts:
  std::string proxy;  ///< "127.0.0.1:8080"
  int proxy_pid = 0;  ///< 0: not known, so neither time nor memory is shown
  std::string user, password;
};

/// Reads the command line; on --help or a mistake it prints and ends the program (0, or 2).
Options read_options(int argc, char** argv);

}  // namespace payg::bench
