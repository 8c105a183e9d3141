#include "billing/spool/spool_line.h"

#include <openssl/evp.h>

#include <array>
#include <nlohmann/json.hpp>

#include "plugin/base/text.h"

namespace payg::billing {
namespace {

using nlohmann::json;

constexpr std::string_view version_key = "payg_spool";
constexpr int version = 1;
// Against torn writes and broken disks, not against people: the first 64 bits of a SHA-256.
constexpr std::size_t checksum_bytes = 8;
constexpr std::size_t checksum_digits = 2 * checksum_bytes;

std::string checksum_of(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  // Fails only when there is no memory; all lines are unreadable then, which is said.
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) return {};
  return to_hex(digest.data(), checksum_bytes);
}

std::string line_of(const json& content) {
  // Names may come from a configuration in any encoding.
  const std::string text = content.dump(-1, ' ', false, json::error_handler_t::replace);
  return checksum_of(text) + ' ' + text + '\n';
}

/// Discarded when the line is not what was written.
json content_of(std::string_view line) {
  if (line.size() <= checksum_digits || line[checksum_digits] != ' ') return json(json::value_t::discarded);
  const std::string_view text = line.substr(checksum_digits + 1);
  if (checksum_of(text) != line.substr(0, checksum_digits)) return json(json::value_t::discarded);
  return json::parse(text, nullptr, false);
}

}  // namespace

std::string spool_header(std::string_view node) {
  return line_of({{version_key, version}, {"node", node}});
}

std::optional<std::string> read_spool_header(std::string_view line) try {
  const json content = content_of(line);
  if (!content.is_object() || content.value(version_key, 0) != version) return std::nullopt;
  return content.at("node");
} catch (const json::exception&) {
  return std::nullopt;
}

std::string spool_line(const ChargeRequest& charge) {
  json content{{"user", charge.user.value},
               {"session", charge.session.value},
               {"number", charge.number},
               {"price_units", charge.price.units()},
               {"increment_ms", charge.increment.count()},
               {"rate_thousandths", charge.rate.thousandths()},
               {"from_ms", charge.from.time_since_epoch().count()}};
  if (charge.number == 1) {
    content["label"] = charge.label;
    content["exit"] = charge.exit;
  }
  return line_of(content);
}

std::string settled_line(const ChargeKey& charge) {
  return line_of(
      {{"user", charge.user.value}, {"session", charge.session.value}, {"settled", charge.number}});
}

std::optional<ChargeKey> read_settled_line(std::string_view line) try {
  const json content = content_of(line);
  if (!content.is_object()) return std::nullopt;
  return ChargeKey{UserId{content.at("user")}, SessionId{content.at("session")}, content.at("settled")};
} catch (const json::exception&) {
  return std::nullopt;
}

std::optional<ChargeRequest> read_spool_line(std::string_view line) try {
  const json content = content_of(line);
  if (!content.is_object()) return std::nullopt;
  using std::chrono::milliseconds;
  return ChargeRequest{.user = UserId{content.at("user")},
                       .session = SessionId{content.at("session")},
                       .number = content.at("number"),
                       .price = Credits::from_units(content.at("price_units")),
                       .increment = milliseconds(content.at("increment_ms")),
                       .rate = Rate::from_thousandths(content.at("rate_thousandths")),
                       .from = WallTime(milliseconds(content.at("from_ms"))),
                       .label = content.value("label", ""),
                       .exit = content.value("exit", "")};
} catch (const json::exception&) {
  return std::nullopt;
}

}  // namespace payg::billing
