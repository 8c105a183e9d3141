#include "billing/admin/body.h"

#include <algorithm>
#include <charconv>

#include "billing/admin/problem.h"

namespace payg::billing {

Result<JsonObject, Reply> read_body(const Request& request) {
  if (request.body.empty()) return problem(Problem::invalid_json, "The body is empty.");
  auto body = read_json_object(request.body);
  if (!body.ok()) return problem(Problem::invalid_json, "The body cannot be used: " + body.error() + ".");
  return std::move(*body);
}

Result<std::string, Reply> optional_text(const JsonObject& body, std::string_view name) {
  const auto member = body.find(name);
  if (member == body.end() || member->second.kind == JsonValue::Kind::null) return std::string();
  if (member->second.kind != JsonValue::Kind::string)
    return problem(Problem::invalid_value, std::string(name) + " is a string.");
  return member->second.text;
}

Result<Credits, Reply> amount_of(const JsonObject& body, std::string_view name) {
  const auto member = body.find(name);
  if (member == body.end()) return problem(Problem::invalid_value, std::string(name) + " is missing.");
  const JsonValue& value = member->second;
  if (value.kind == JsonValue::Kind::number || value.kind == JsonValue::Kind::string)
    if (const auto amount = Credits::parse(value.text)) return *amount;
  return problem(Problem::invalid_value, std::string(name) + " is a decimal number, such as 10 or \"2.50\".");
}

Result<std::string, Reply> idempotency_key(const Request& request) {
  constexpr std::size_t longest = 255;
  const std::string& key = request.idempotency_key;
  const bool visible = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (key.size() > longest || !visible)
    return problem(Problem::malformed_request,
                   "An Idempotency-Key has at most 255 visible ASCII characters.");
  return key;
}

std::string_view query_text(const Request& request, std::string_view name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string_view() : std::string_view(found->second);
}

Result<std::optional<WallTime>, Reply> moment(const Request& request, std::string_view name) {
  const std::string_view text = query_text(request, name);
  if (text.empty()) return std::optional<WallTime>();
  if (const auto time = parse_time(text)) return time;
  return problem(Problem::invalid_value,
                 std::string(name) + " is a day or a time in UTC (2026-11-22T13:00:00Z).");
}

Result<std::optional<std::int64_t>, Reply> whole_number(const Request& request, const std::string& name,
                                                        std::int64_t lowest, std::int64_t highest) {
  const auto parameter = request.query.find(name);
  if (parameter == request.query.end()) return std::optional<std::int64_t>();
  const std::string& text = parameter->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < lowest || value > highest)
    return problem(Problem::invalid_value, name + " is a whole number from " + std::to_string(lowest) +
                                               " to " + std::to_string(highest) + ".");
  return std::optional(value);
}

}  // namespace payg::billing
