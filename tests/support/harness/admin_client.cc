#include "tests/support/harness/admin_client.h"

#include <nlohmann/json.hpp>

#include "tests/support/harness/patience.h"

namespace payg::test {

nlohmann::json AdminAnswer::json() const {
  nlohmann::json parsed = nlohmann::json::parse(response.body.content, nullptr, false);
  if (parsed.is_discarded()) throw HarnessError("no JSON: " + response.head.raw + response.body.content);
  return parsed;
}

double metric_in(std::string_view metrics, std::string_view name) {
  const std::string start = "\n" + std::string(name) + " ";
  const auto found = metrics.find(start);
  if (found == std::string_view::npos) throw HarnessError("no metric " + std::string(name));
  return std::stod(std::string(metrics.substr(found + start.size(), 40)));
}

AdminClient::AdminClient(const SocketAddress& server, std::string token)
    : server_(server), token_(std::move(token)) {}

AdminAnswer AdminClient::get(const std::string& path) const {
  return call("GET", path, "", {});
}

AdminAnswer AdminClient::post(const std::string& path, const std::string& body, const Fields& fields) const {
  return call("POST", path, body, fields);
}

AdminAnswer AdminClient::call(const std::string& method, const std::string& path, const std::string& body,
                              const Fields& fields) const {
  std::string request = method + " " + path + " HTTP/1.1\r\nHost: " + server_.to_string() + "\r\n";
  if (!token_.empty()) request += "Authorization: Bearer " + token_ + "\r\n";
  for (const auto& [name, value] : fields) request += name + ": " + value + "\r\n";
  if (!body.empty()) {
    request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  RawClient client(server_);
  client.send(request + "Connection: close\r\n\r\n");
  // A server that has heard enough may answer and close before all of a large body was sent.
  static_cast<void>(client.try_send(body));
  return AdminAnswer{read_final_response(client, method)};
}

AdminAnswer AdminClient::succeed(AdminAnswer answer) const {
  if (answer.status() / 100 == 2) return answer;
  throw HarnessError("the admin port refused: " + answer.response.head.raw + answer.response.body.content);
}

std::string AdminClient::create_user(const std::string& name) const {
  const nlohmann::json body = {{"name", name}, {"email", name + "@example.com"}};
  return succeed(post("/api/admin/users", body.dump())).json().at("token").get<std::string>();
}

void AdminClient::add_credits(const std::string& name, const std::string& credits) const {
  const nlohmann::json body = {{"credits", credits}, {"reason", "for a test"}};
  succeed(post("/api/admin/users/" + name + "/credits", body.dump()));
}

std::int64_t AdminClient::balance_units() const {
  return succeed(get("/api/credits/balance")).json().at("balance_units").get<std::int64_t>();
}

double AdminClient::metric(std::string_view name) const {
  return metric_in(succeed(get("/metrics")).response.body.content, name);
}

}  // namespace payg::test
