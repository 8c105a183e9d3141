#pragma once

#include <string>

namespace payg::test {

/// As a value in a connection URL.
std::string percent_encoded(const std::string& text);

/// What the tests' own connection URLs consist of: one server, no password.
struct PostgresUrl {
  std::string host;  ///< or the folder of its Unix socket
  std::string port = "5432";
  std::string user;
  std::string database;

  /// Throws std::runtime_error when libpq does not understand it.
  static PostgresUrl parse(const std::string& url);
  std::string to_string() const;
  /// "/folder/.s.PGSQL.5432". REQUIRES: host is a folder.
  std::string socket_path() const { return host + "/.s.PGSQL." + port; }
};

}  // namespace payg::test
