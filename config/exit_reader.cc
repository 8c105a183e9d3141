#include "config/exit_reader.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "config/address_checks.h"
#include "plugin/base/address.h"
#include "plugin/base/host_name.h"
#include "plugin/base/text.h"

namespace payg::config {
namespace {

constexpr std::array<TomlTable::Choice, 3> kinds{{
    {"direct", static_cast<int>(ExitKind::direct)},
    {"http", static_cast<int>(ExitKind::http)},
    {"socks5", static_cast<int>(ExitKind::socks5)},
}};
constexpr std::array<TomlTable::Choice, 2> resolutions{{
    {"proxy", static_cast<int>(NameResolution::proxy)},
    {"parent", static_cast<int>(NameResolution::parent)},
}};
constexpr std::array<std::string_view, 5> keys_of_parents{"address", "username", "password_env",
                                                          "password_file", "resolve"};

std::string check_exit_name(std::string_view text) {
  if (is_name(text, "_.-", 64)) return "";
  return in_quotes(text) + " is no name, expected 1 to 64 letters, digits, '_', '.' or '-'";
}

std::string check_place(std::string_view text) {
  if (is_name(text, "_", 64)) return "";
  return in_quotes(text) + " is no name of a place, expected 1 to 64 letters, digits or '_'";
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

std::string check_host_and_port(std::string_view text) {
  const auto colon = text.rfind(':');
  const auto literal = SocketAddress::parse(text);
  if (literal ? literal->port() != 0
              : colon != text.npos && is_host_name(text.substr(0, colon)) && is_port(text.substr(colon + 1)))
    return "";
  return in_quotes(text) +
         R"( is no host and port, expected one such as "proxy.example:3128", "192.0.2.1:1080" or "[2001:db8::1]:1080")";
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

constexpr std::size_t most_socks5_bytes = 255;  // RFC 1929 §2

/// Nothing of a password is repeated.
std::string check_password(std::string_view text, ExitKind kind) {
  if (kind == ExitKind::socks5 && text.size() > most_socks5_bytes)
    return "is too long, expected at most 255 bytes, which is what SOCKS5 carries";
  if (kind == ExitKind::http && has_control_characters(text)) return "has control characters, expected none";
  return "";
}

std::string check_username(std::string_view text, ExitKind kind) {
  if (text.empty()) return "is empty, expected a user name";
  if (kind == ExitKind::socks5 && text.size() > most_socks5_bytes)
    return "is too long, expected at most 255 bytes, which is what SOCKS5 carries";
  if (kind == ExitKind::http && (has_control_characters(text) || text.find(':') != text.npos))
    return in_quotes(text) + " has a colon or control characters, expected none, as HTTP Basic has it";
  return "";
}

void read_credentials(TomlTable& table, ExitConfig& exit) {
  const Node* name = table.read_text("username", exit.username,
                                     [&](std::string_view text) { return check_username(text, exit.kind); });
  const Node* password =
      table.read_secret("password", exit.password, IfUnset::refuse,
                        [&](std::string_view text) { return check_password(text, exit.kind); });
  const bool names_password = table.has("password_env") || table.has("password_file");
  if (name && !names_password)
    table.refuse(*name, "username",
                 "has no password with it, expected password_env or password_file beside it");
  if (password && !table.has("username"))
    table.refuse(*password, table.has("password_env") ? "password_env" : "password_file",
                 "has no user name with it, expected username beside it");
}

void read_parent(TomlTable& table, ExitConfig& exit) {
  table.require("address", R"(the parent's host and port, as in "proxy.example:3128")");
  table.read_text("address", exit.address, check_host_and_port);
  read_credentials(table, exit);
  int resolve = static_cast<int>(exit.resolve);
  table.read_choice("resolve", resolve, resolutions);
  exit.resolve = static_cast<NameResolution>(resolve);
}

void refuse_parent(TomlTable& table) {
  for (const auto key : keys_of_parents) {
    const Entry* entry = table.node().find(key);
    if (entry != nullptr)
      table.refuse(entry->value, key,
                   R"(a direct exit has no parent, expected kind = "http" or "socks5" with it)");
    table.leave(key);
  }
}

}  // namespace

const char* name_of(ExitKind kind) noexcept {
  return kinds[static_cast<std::size_t>(kind)].first.data();
}

ExitConfig read_exit(TomlTable table, std::set<std::string>& names) {
  ExitConfig exit;
  table.require("name", R"(a name, as in "direct")");
  if (const Node* value = table.read_text("name", exit.name, check_exit_name)) {
    if (!names.insert(exit.name).second)
      table.refuse(*value, "name", in_quotes(exit.name) + " is the name of another [[exit]] already");
  }
  int kind = static_cast<int>(exit.kind);
  const bool kind_is_known = table.read_choice("kind", kind, kinds) != nullptr || !table.has("kind");
  exit.kind = static_cast<ExitKind>(kind);
  if (exit.kind != ExitKind::direct) {
    read_parent(table, exit);
  } else if (kind_is_known) {
    refuse_parent(table);
  } else {
    for (const auto key : keys_of_parents) table.leave(key);
  }
  table.read_text("source_address", exit.source_address, check_ip);
  table.read_count("weight", exit.weight, {.least = 1, .most = 1000});
  const std::pair<std::string_view, std::string*> places[] = {
      {"country", &exit.country}, {"state", &exit.state}, {"city", &exit.city}, {"isp", &exit.isp}};
  for (const auto& [key, place] : places) {
    table.read_text(key, *place, check_place);
    *place = ascii_lower(*place);
  }
  table.refuse_unknown();
  return exit;
}

ExitHealthConfig read_exit_health(TomlTable table) {
  ExitHealthConfig health;
  table.read_count("failures", health.failures, {.least = 1, .most = 1000});
  table.read_text("probe_target", health.probe_target,
                  [](std::string_view text) { return text.empty() ? "" : check_host_and_port(text); });
  table.read_duration("probe_interval", health.probe_interval, std::chrono::milliseconds(0));
  table.read_duration("backoff", health.backoff);
  table.read_duration("longest_backoff", health.longest_backoff);
  if (health.longest_backoff < health.backoff) {
    const Entry* entry = table.node().find("longest_backoff");
    if (entry == nullptr) entry = table.node().find("backoff");
    table.refuse(entry->value, entry->key,
                 "longest_backoff is shorter than backoff, expected at least as long");
  }
  table.refuse_unknown();
  return health;
}

}  // namespace payg::config
