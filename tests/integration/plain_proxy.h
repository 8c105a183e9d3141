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
