#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/address.h"

namespace payg::bench {

/// How the load reaches the origin.
struct Route {
  std::string name;                    ///< as the table shows it: "direct", "proxy", "proxy+billing"
  std::optional<SocketAddress> proxy;  ///< nullopt: straight to the origin
  SocketAddress origin;
  std::string user, password;  ///< empty: none are sent

  const SocketAddress& entry() const { return proxy ? *proxy : origin; }
};

/// What is sent, and what must come back before the next step.
struct Step {
  enum class Reply {
    bytes,  ///< `length` bytes that begin with `prefix`
    http,   ///< a head of status 200, then `length` bytes of content
  };
  std::string send;
  Reply reply = Reply::http;
  std::string prefix;
  std::size_t length = 0;
};

/// What one flow of the load does. An operation is what is counted and timed.
struct Script {
  enum class Lifetime {
    each_operation,  ///< an operation is: connect, greet, work, close
    kept,            ///< connect and greet before the clock starts; an operation is: work
  };
  std::string name;
  Lifetime lifetime = Lifetime::kept;
  SocketAddress entry;
  std::vector<Step> greet;
  std::vector<Step> work;
};

enum class Handshake { connect, socks5 };

/// The steps to a tunnel to the origin; none on a direct route.
std::vector<Step> greeting(const Route& route, Handshake handshake);

Script open_tunnels(const Route& route, Handshake handshake);
Script ping_pong(const Route& route, Handshake handshake);
Script open_request_close(const Route& route);
/// Absolute-form requests on kept connections; origin-form on a direct route.
Script forward_requests(const Route& route);
Script move_bulk(const Route& route, std::size_t bytes);

}  // namespace payg::bench
