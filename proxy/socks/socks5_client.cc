#include "proxy/socks/socks5_client.h"

#include "proxy/socks/wire.h"

namespace payg::socks {
namespace {

using namespace std::string_view_literals;
using namespace wire;

void append_byte(std::string& out, std::size_t value) {
  out += static_cast<char>(static_cast<std::uint8_t>(value));
}

ServerAnswer complete(std::size_t consumed) {
  return {.state = ParseState::complete, .consumed = consumed};
}

constexpr ServerAnswer incomplete{};
constexpr ServerAnswer refused{.state = ParseState::refused, .consumed = 0};

}  // namespace

std::string_view client_greeting(HasCredentials has_credentials) noexcept {
  return has_credentials == HasCredentials::yes ? "\x05\x02\x00\x02"sv : "\x05\x01\x00"sv;
}

ServerAnswer parse_method(std::string_view buffered, HasCredentials offered, Method& out) noexcept {
  if (buffered.empty()) return incomplete;
  if (byte_at(buffered, 0) != socks5_version) return refused;
  if (buffered.size() < 2) return incomplete;
  const auto chosen = static_cast<Method>(byte_at(buffered, 1));
  const bool was_offered = chosen == Method::no_credentials ||
                           (chosen == Method::user_name_password && offered == HasCredentials::yes);
  out = was_offered ? chosen : Method::unacceptable;
  return complete(2);
}

void append_credentials(std::string& out, std::string_view name, std::string_view password) {
  append_byte(out, credentials_version);
  append_byte(out, name.size());
  out += name;
  append_byte(out, password.size());
  out += password;
}

ServerAnswer parse_credentials_status(std::string_view buffered, CredentialsStatus& out) noexcept {
  if (buffered.empty()) return incomplete;
  const std::uint8_t version = byte_at(buffered, 0);
  if (version != credentials_version && version != socks5_version) return refused;
  if (buffered.size() < 2) return incomplete;
  out = byte_at(buffered, 1) == 0 ? CredentialsStatus::success : CredentialsStatus::failure;
  return complete(2);
}

void append_connect(std::string& out, const proxy::TargetHost& host, std::uint16_t port) {
  constexpr std::uint8_t connect_command = 1;
  append_byte(out, socks5_version);
  append_byte(out, connect_command);
  append_byte(out, 0);
  if (host.address) {
    const bool v4 = host.address->is_v4();
    append_byte(out, v4 ? address_v4 : address_v6);
    const auto& bytes = host.address->bytes();
    for (std::size_t i = 0; i < (v4 ? 4u : 16u); ++i) append_byte(out, bytes[i]);
  } else {
    append_byte(out, address_domain);
    append_byte(out, host.text.size());
    out += host.text;
  }
  append_byte(out, port >> 8);
  append_byte(out, port & 0xff);
}

ServerAnswer parse_reply(std::string_view buffered, std::uint8_t& code) noexcept {
  if (buffered.empty()) return incomplete;
  if (byte_at(buffered, 0) != socks5_version) return refused;
  if (buffered.size() < 2) return incomplete;
  code = byte_at(buffered, 1);
  if (code != static_cast<std::uint8_t>(Reply::succeeded)) return complete(2);
  if (buffered.size() < 4) return incomplete;
  if (!is_known_address_type(byte_at(buffered, 3))) return refused;
  const std::size_t size = addressed_bytes(buffered);
  return size == 0 || buffered.size() < size ? incomplete : complete(size);
}

}  // namespace payg::socks
