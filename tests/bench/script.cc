#include "tests/bench/script.h"

#include <openssl/evp.h>

#include "tests/bench/origin.h"

namespace payg::bench {
namespace {

std::string base64(const std::string& text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(length));
  return encoded;
}

std::string credentials(const Route& route) {
  if (!route.proxy || route.user.empty()) return {};
  return "Proxy-Authorization: Basic " + base64(route.user + ":" + route.password) + "\r\n";
}

std::string get(const Route& route, const std::string& target, const std::string& fields = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: " + route.origin.to_string() + "\r\n" + fields + "\r\n";
}

Step small_request(const Route& route) {
  return {.send = get(route, "/small"),
          .reply = Step::Reply::http,
          .prefix = {},
          .length = Origin::small_body_bytes};
}

std::vector<Step> connect_steps(const Route& route) {
  const std::string origin = route.origin.to_string();
  return {
      {.send = "CONNECT " + origin + " HTTP/1.1\r\nHost: " + origin + "\r\n" + credentials(route) + "\r\n",
       .reply = Step::Reply::http,
       .prefix = {},
       .length = 0}};
}

std::string counted(const std::string& text) {
  return static_cast<char>(text.size()) + text;
}

// RFC 1928 and RFC 1929.
std::vector<Step> socks5_steps(const Route& route) {
  using namespace std::string_literals;
  const auto& ip = route.origin.ip().bytes();
  const std::uint16_t port = route.origin.port();
  const auto step = [](std::string send, std::string prefix, std::size_t length) {
    return Step{std::move(send), Step::Reply::bytes, std::move(prefix), length};
  };
  std::vector<Step> steps;
  if (route.user.empty()) {
    steps.push_back(step("\5\1\0"s, "\5\0"s, 2));
  } else {
    steps.push_back(step("\5\1\2", "\5\2", 2));
    steps.push_back(step("\1" + counted(route.user) + counted(route.password), "\1\0"s, 2));
  }
  std::string request = "\5\1\0\1"s + std::string(ip.begin(), ip.begin() + 4);
  request += static_cast<char>(port >> 8);
  request += static_cast<char>(port & 0xff);
  steps.push_back(step(std::move(request), "\5\0\0\1"s, 10));
  return steps;
}

}  // namespace

std::vector<Step> greeting(const Route& route, Handshake handshake) {
  if (!route.proxy) return {};
  return handshake == Handshake::connect ? connect_steps(route) : socks5_steps(route);
}

Script open_tunnels(const Route& route, Handshake handshake) {
  return {.name = handshake == Handshake::connect ? "open (CONNECT)" : "open (SOCKS5)",
          .lifetime = Script::Lifetime::each_operation,
          .entry = route.entry(),
          .greet = greeting(route, handshake),
          .work = {}};
}

Script ping_pong(const Route& route, Handshake handshake) {
  return {.name = handshake == Handshake::connect ? "ping-pong (CONNECT)" : "ping-pong (SOCKS5)",
          .lifetime = Script::Lifetime::kept,
          .entry = route.entry(),
          .greet = greeting(route, handshake),
          .work = {small_request(route)}};
}

Script open_request_close(const Route& route) {
  return {.name = "open, request, close",
          .lifetime = Script::Lifetime::each_operation,
          .entry = route.entry(),
          .greet = greeting(route, Handshake::connect),
          .work = {small_request(route)}};
}

Script forward_requests(const Route& route) {
  Step request = small_request(route);
  if (route.proxy)
    request.send = get(route, "http://" + route.origin.to_string() + "/small", credentials(route));
  return {.name = "forward (keep-alive)",
          .lifetime = Script::Lifetime::kept,
          .entry = route.entry(),
          .greet = {},
          .work = {request}};
}

Script move_bulk(const Route& route, std::size_t bytes) {
  return {.name = "bulk",
          .lifetime = Script::Lifetime::kept,
          .entry = route.entry(),
          .greet = greeting(route, Handshake::connect),
          .work = {{.send = get(route, "/bulk/" + std::to_string(bytes)),
                    .reply = Step::Reply::http,
                    .prefix = {},
                    .length = bytes}}};
}

}  // namespace payg::bench
