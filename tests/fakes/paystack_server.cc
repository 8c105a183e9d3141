#include "tests/fakes/paystack_server.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "plugin/base/text.h"
#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

using nlohmann::json;

constexpr std::string_view initialize_line = "POST /transaction/initialize HTTP/1.1";
constexpr std::string_view verify_start = "GET /transaction/verify/", line_end = " HTTP/1.1";

std::string response(int status, const std::string& type, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " Said\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string refusal(const std::string& message, const std::string& code) {
  return json{{"status", false}, {"message", message}, {"type", "validation_error"}, {"code", code}}.dump();
}

std::string_view reference_in(std::string_view line) {
  return line.substr(verify_start.size(), line.size() - verify_start.size() - line_end.size());
}

bool is_reference(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '=';
  });
}

}  // namespace

PaystackServer::PaystackServer(std::string secret_key)
    : secret_key_(std::move(secret_key)),
      server_([this](OriginConnection& connection) { serve(connection); }) {}

// ---- what a test says

void PaystackServer::fail(Call call, Mishap how) {
  const std::lock_guard lock(mutex_);
  mishaps_[call] = how;
}

void PaystackServer::before_answer(Call call, Hook hook) {
  const std::lock_guard lock(mutex_);
  hooks_[call] = std::move(hook);
}

void PaystackServer::pay(const std::string& reference) {
  change(reference, [](Payment& payment) { payment.status = "success"; });
}

void PaystackServer::change(const std::string& reference, const std::function<void(Payment&)>& how) {
  const std::lock_guard lock(mutex_);
  const auto found = payments_.find(reference);
  if (found == payments_.end()) throw HarnessError("the stand-in has no payment " + reference);
  how(found->second);
}

void PaystackServer::forget(const std::string& reference) {
  const std::lock_guard lock(mutex_);
  payments_.erase(reference);
}

std::optional<PaystackServer::Payment> PaystackServer::payment(const std::string& reference) const {
  const std::lock_guard lock(mutex_);
  const auto found = payments_.find(reference);
  return found == payments_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> PaystackServer::references() const {
  const std::lock_guard lock(mutex_);
  return order_;
}

std::string PaystackServer::wait_for_payment(std::size_t count) const {
  if (!eventually([&] { return references().size() >= count; }))
    throw HarnessError("no payment was begun at the stand-in");
  return references().back();
}

int PaystackServer::calls(Call call) const {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(call);
  return found == calls_.end() ? 0 : found->second;
}

// ---- what it answers

std::optional<PaystackServer::Call> PaystackServer::call_of(const RecordedRequest& request) const {
  const std::string& line = request.head.start_line;
  if (line == initialize_line) return Call::initialize;
  if (line.starts_with(verify_start) && line.ends_with(line_end)) return Call::verify;
  return std::nullopt;
}

void PaystackServer::serve(OriginConnection& connection) {
  while (connection.read_request()) {
    const RecordedRequest request = connection.request();
    const auto call = call_of(request);
    Mishap how = Mishap::none;
    if (call) {
      const std::lock_guard lock(mutex_);
      ++calls_[*call];
      how = mishaps_[*call];
    }
    const Answer said = how == Mishap::lost ? Answer() : answer(request, call);
    if (call) run_hook(*call);
    if (!send(connection, said, how)) return;
  }
}

void PaystackServer::run_hook(Call call) {
  Hook hook;
  {
    const std::lock_guard lock(mutex_);
    hook = hooks_[call];
  }
  if (hook) hook();
}

PaystackServer::Answer PaystackServer::answer(const RecordedRequest& request, std::optional<Call> call) {
  if (request.head.field("Authorization") != "Bearer " + secret_key_)
    return {401, refusal("Invalid key", "invalid_Key")};
  if (!call) return {404, refusal("No such call", "not_found")};
  if (*call == Call::initialize) return initialize(request);
  return verify(std::string(reference_in(request.head.start_line)));
}

PaystackServer::Answer PaystackServer::initialize(const RecordedRequest& request) {
  const json asked = json::parse(request.body.content, nullptr, false);
  const bool complete = asked.is_object() && asked.contains("email") && asked.contains("amount") &&
                        asked["amount"].is_number_integer() && asked.value("reference", "") != "";
  if (!complete || asked.contains("plan")) return {400, refusal("Invalid request", "invalid_params")};
  const std::string reference = asked["reference"];
  if (!is_reference(reference)) return {400, refusal("Invalid reference", "invalid_params")};
  const std::lock_guard lock(mutex_);
  if (payments_.contains(reference))
    return {400, refusal("Duplicate Transaction Reference", "duplicate_reference")};
  Payment payment{.reference = reference,
                  .amount = asked["amount"],
                  .currency = asked.value("currency", "NGN"),
                  .email = asked["email"],
                  .callback_url = asked.value("callback_url", "")};
  payments_.emplace(reference, std::move(payment));
  order_.push_back(reference);
  return {200, json{{"status", true},
                    {"message", "Authorization URL created"},
                    {"data",
                     {{"authorization_url", base_url() + "/pay/" + reference},
                      {"access_code", "code"},
                      {"reference", reference}}}}
                   .dump()};
}

json PaystackServer::data_of(const Payment& payment) const {
  return {{"id", 4099260516},
          {"domain", "test"},
          {"status", payment.status},
          {"reference", payment.told_reference.empty() ? payment.reference : payment.told_reference},
          {"amount", payment.amount},
          {"currency", payment.currency},
          {"gateway_response", "Successful"},
          {"metadata", json::parse(payment.metadata)},
          {"customer", {{"email", payment.email}}}};
}

PaystackServer::Answer PaystackServer::verify(const std::string& reference) const {
  const auto found = payment(reference);
  if (!found) return {404, refusal("Transaction reference not found.", "transaction_not_found")};
  return {200,
          json{{"status", true}, {"message", "Verification successful"}, {"data", data_of(*found)}}.dump()};
}

bool PaystackServer::send(OriginConnection& connection, const Answer& answer, Mishap how) const {
  const std::string whole = response(answer.status, "application/json", answer.body);
  const auto say = [&connection](int status, const std::string& type, const std::string& body) {
    connection.send(response(status, type, body));
    return true;
  };
  switch (how) {
    case Mishap::none: connection.send(whole); return true;
    case Mishap::lost:
    case Mishap::silence: connection.stream().read_to_end(); return false;
    case Mishap::html: return say(200, "text/html", "<html><body>We are down for maintenance</body></html>");
    case Mishap::megabytes:
      return say(200, "application/json", R"({"status":true,"data":{"x":")" + std::string(10'000'000, 'x'));
    case Mishap::cut: connection.send(whole.substr(0, whole.size() - answer.body.size() / 2)); return false;
    case Mishap::server_error: return say(500, "application/json", refusal("Oops", "internal"));
    case Mishap::invalid_key: return say(401, "application/json", refusal("Invalid key", "invalid_Key"));
    case Mishap::refusal:
      return say(400, "application/json", refusal("Currency not supported", "unsupported"));
    case Mishap::throttled: return say(429, "application/json", refusal("Too many requests", "rate_limited"));
    case Mishap::nonsense:
      return say(200, "application/json", R"({"status":true,"data":[1,{"reference":7}]})");
  }
  return false;
}

// ---- what it tells unasked

SignedEvent PaystackServer::sign(std::string body) const {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(EVP_sha512(), secret_key_.data(), static_cast<int>(secret_key_.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest, &length);
  return {.body = std::move(body), .signature = to_hex(digest, length)};
}

SignedEvent PaystackServer::charge_success(const std::string& reference) const {
  const auto found = payment(reference);
  if (!found) throw HarnessError("the stand-in has no payment " + reference);
  json data = data_of(*found);
  data["status"] = "success";
  return sign(json{{"event", "charge.success"}, {"data", data}}.dump());
}

SignedEvent PaystackServer::refund(const std::string& state, const std::string& reference,
                                   const std::string& refund_reference, std::int64_t amount) const {
  json data{{"status", state},
            {"transaction_reference", reference},
            {"refund_reference", refund_reference},
            {"currency", "USD"}};
  // As they come: a string of digits in some, a number in others.
  if (state == "failed" || state == "needs-attention") {
    data["amount"] = amount;
  } else {
    data["amount"] = std::to_string(amount);
  }
  return sign(json{{"event", "refund." + state}, {"data", data}}.dump());
}

SignedEvent PaystackServer::dispute(const std::string& step, const std::string& reference) const {
  return sign(
      json{{"event", "charge.dispute." + step},
           {"data", {{"id", 358950}, {"status", "pending"}, {"transaction", {{"reference", reference}}}}}}
          .dump());
}

AdminAnswer PaystackServer::send(const SocketAddress& admin, const SignedEvent& event) {
  return AdminClient(admin).call("POST", "/api/webhooks/paystack", event.body,
                                 {{"x-paystack-signature", event.signature}});
}

std::string PaystackServer::configuration(const std::string& secret_key_env) const {
  return "[billing.payments.paystack]\nsecret_key_env = \"" + secret_key_env + "\"\nbase_url = \"" +
         base_url() + "\"\ncallback_url = \"http://localhost/dashboard/\"\n";
}

}  // namespace payg::test
