#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/base/address.h"
#include "tests/support/harness/http_message.h"

namespace payg::test {

struct AdminAnswer {
  HttpResponse response;

  int status() const { return response.status; }
  /// Throws HarnessError when the content is no JSON.
  nlohmann::json json() const;
};

/// Of the text of /metrics: the sample of a metric that has no labels. Throws HarnessError when there is
/// none.
double metric_in(std::string_view metrics, std::string_view name);

/// JSON over HTTP with the admin port, one connection for each call, as one user or as the operator.
class AdminClient {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  /// `token` empty: calls without Authorization.
  explicit AdminClient(const SocketAddress& server, std::string token = {});

  AdminAnswer get(const std::string& path) const;
  AdminAnswer post(const std::string& path, const std::string& body, const Fields& fields = {}) const;
  AdminAnswer call(const std::string& method, const std::string& path, const std::string& body,
                   const Fields& fields) const;

  // What tests of the meter do all the time. They throw HarnessError when the answer is not a success.
  /// As the operator: makes a user and returns his token.
  std::string create_user(const std::string& name) const;
  /// As the operator: "0.003".
  void add_credits(const std::string& name, const std::string& credits) const;
  /// As the user.
  std::int64_t balance_units() const;
  /// metric_in() what /metrics says now.
  double metric(std::string_view name) const;

 private:
  AdminAnswer succeed(AdminAnswer answer) const;

  SocketAddress server_;
  std::string token_;
};

}  // namespace payg::test
