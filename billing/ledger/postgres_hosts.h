#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace payg::billing {

/// The servers of one connection URL, as the connections of this process have found them. libpq asks them in
/// the order of the URL, and waits seconds for each that has vanished from the network; what one connection
/// has learned of them spares the others that wait. Thread-safe.
class PostgresHosts {
 public:
  explicit PostgresHosts(std::string url);

  const std::string& url() const noexcept { return url_; }

  struct Host {
    std::string name, address, port;
    bool operator==(const Host&) const = default;
    bool is(std::string_view host, std::string_view at_port) const;
  };
  struct Order {
    std::vector<Host> asked;  ///< empty when the URL leaves no choice
    /// As libpq takes them, separated by commas
    /// (https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS).
    std::string hosts, addresses, ports;
  };
  /// One connection asks so many of them at most: each that has vanished takes seconds.
  static constexpr std::size_t most_asked = 4;
  /// The one that works first, those that fell silent or gave no connection last, the others as in the URL.
  Order order() const;

  /// A connection to it was made; both as PQhost() and PQport() name it.
  void note_connected(std::string_view host, std::string_view port);
  /// None of that order gave a connection: all others come before these now. Several who had the same order
  /// may find so, one after the other, and it is as if one had.
  void note_all_away(const Order& order);
  /// A connection to it was given up because nothing came from it.
  void note_silent(std::string_view host, std::string_view port);
  /// How often that has happened. Who connected when it was less does not know whether his server is silent
  /// too, and does better to connect again than to wait for it.
  unsigned silences() const;

 private:
  enum class Place { front, back };
  void move(std::string_view host, std::string_view port, Place place);

  const std::string url_;
  mutable std::mutex mutex_;
  std::vector<Host> hosts_;  // guarded by mutex_
  unsigned silences_ = 0;    // guarded by mutex_
};

}  // namespace payg::billing
