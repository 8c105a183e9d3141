#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/unique_fd.h"

namespace payg::test {

struct Asked {
  std::string method = "GET";
  std::string path;
  std::vector<std::string> headers{};  ///< "Name: value"
  std::optional<std::string> body{};
  std::string socket{};  ///< of a Unix socket, to be asked instead of the port
};

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  nlohmann::json json() const;
  std::string code() const;
};

/// Asks 127.0.0.1:port over a connection of its own. Status 0: no answer came.
Answer ask_port(std::uint16_t port, const Asked& asked);

/// Sends bytes as they are over a fresh connection and returns all that comes until the server closes, or
/// until one complete answer with a Content-Length has come.
std::string send_bytes(std::uint16_t port, const std::string& bytes);

/// Sends bytes and does not wait for an answer; the connection closes with what is returned.
UniqueFd send_only(std::uint16_t port, const std::string& bytes);

}  // namespace payg::test
