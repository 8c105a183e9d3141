#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/support/harness/http_message.h"
#include "tests/support/harness/origin.h"
#include "tests/support/harness/patience.h"
#include "tests/support/harness/pattern.h"
#include "tests/support/harness/proxy_process.h"
#include "tests/support/harness/socks_client.h"

namespace payg::test {

/// A plain payg-proxy that lets loopback targets through. Each test brings its own origin.
class PlainProxy : public testing::Test {
 protected:
  explicit PlainProxy(ProxySettings settings = {}) : proxy_(std::move(settings)) {}

  RawClient connect() const { return proxy_.connect(); }

  /// Sends `raw` on a connection of its own and returns the first response that is not an interim one.
  HttpResponse ask(std::string_view raw, std::string_view method = "GET") const {
    RawClient client = connect();
    client.send(raw);
    return read_final_response(client, method);
  }

  ProxyProcess proxy_;
};

inline void PrintTo(Transport transport, std::ostream* out) {
  *out << (transport == Transport::plain ? "Plain" : "Tls");
}
inline std::string name_of_transport(const testing::TestParamInfo<Transport>& test) {
  return test.param == Transport::plain ? "Plain" : "Tls";
}

/// The same, and its clients speak what the parameter says.
class EitherProxy : public PlainProxy, public testing::WithParamInterface<Transport> {
 protected:
  explicit EitherProxy(ProxySettings settings = {}) : PlainProxy(by(GetParam(), std::move(settings))) {}

 private:
  static ProxySettings by(Transport transport, ProxySettings settings) {
    settings.transport = transport;
    return settings;
  }
};

/// One with a listener for each transport: for tests of many cases, which go through all of them by both.
class BothProxy : public PlainProxy {
 protected:
  BothProxy()
      : PlainProxy(ProxySettings{.listeners = {"127.0.0.1:0", "127.0.0.1:0"},
                                 .transports = {Transport::plain, Transport::tls}}) {}

  RawClient connect(Transport transport) const {
    return proxy_.connect(transport == Transport::plain ? 0 : 1);
  }
  HttpResponse ask(Transport transport, std::string_view raw) const {
    RawClient client = connect(transport);
    client.send(raw);
    return read_final_response(client);
  }
};

/// `text` with every "{origin}" replaced by the origin's "address:port".
inline std::string at(const Origin& origin, std::string text) {
  constexpr std::string_view mark = "{origin}";
  for (auto found = text.find(mark); found != std::string::npos; found = text.find(mark)) {
    text.replace(found, mark.size(), origin.authority());
  }
  return text;
}

/// A GET in absolute form; `fields` end with CRLF each.
inline std::string get(const Origin& origin, const std::string& fields = {}, const std::string& path = "/") {
  return at(origin, "GET http://{origin}" + path + " HTTP/1.1\r\nHost: {origin}\r\n" + fields + "\r\n");
}

/// A POST in absolute form with `fields`, and `body` behind the head as it stands.
inline std::string post(const Origin& origin, const std::string& fields, const std::string& body) {
  return at(origin, "POST http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n" + fields + "\r\n" + body);
}

}  // namespace payg::test
