#include "proxy/socks/socks5.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "proxy/socks/wire.h"

namespace payg::socks {
namespace {

using namespace std::string_view_literals;
using namespace wire;

constexpr std::uint8_t socks4_version = 4;

/// "request rejected or failed", https://www.openssh.com/txt/socks4.protocol
constexpr std::string_view socks4_rejected = "\x00\x5b\x00\x00\x00\x00\x00\x00"sv;
constexpr std::size_t max_socks4_text_bytes = 255;
constexpr std::string_view no_answer;

ParseOutcome complete(std::size_t consumed) {
  return {.state = ParseState::complete, .consumed = consumed, .answer = {}, .detail = {}};
}

ParseOutcome refuse(std::string_view answer, std::string_view detail) {
  return {.state = ParseState::refused, .consumed = 0, .answer = answer, .detail = detail};
}

ParseOutcome refuse_with(Reply reply, std::string_view detail) {
  return refuse(unbound_reply(reply), detail);
}

/// The end of the NUL-terminated text at `begin`: behind its NUL; 0 when it is not there yet.
std::size_t end_of_text(std::string_view buffered, std::size_t begin) {
  const std::string_view text = buffered.substr(std::min(begin, buffered.size()), max_socks4_text_bytes + 1);
  const auto nul = text.find('\0');
  if (nul != text.npos) return begin + nul + 1;
  // Longer than anybody's: what follows is not worth waiting for.
  return text.size() > max_socks4_text_bytes ? begin + text.size() : 0;
}

/// VN CD DSTPORT DSTIP USERID NUL, in SOCKS4a with a name and NUL behind it where DSTIP is 0.0.0.x.
ParseOutcome refuse_socks4(std::string_view buffered) {
  constexpr std::size_t fixed_bytes = 8;
  if (buffered.size() <= fixed_bytes) return {};
  std::size_t end = end_of_text(buffered, fixed_bytes);
  const bool names_host = buffered.substr(4, 3) == "\0\0\0"sv && buffered[7] != '\0';
  if (end != 0 && names_host) end = end_of_text(buffered, end);
  if (end == 0) return {};
  return refuse(socks4_rejected, "SOCKS4 is not spoken here");
}

/// REQUIRES: the request is there as a whole. False: an invalid domain.
bool read_host(std::string_view request, proxy::TargetHost& out) {
  const char* address = request.data() + 4;
  switch (byte_at(request, 3)) {
    case address_v4: {
      in_addr v4;
      std::memcpy(&v4, address, sizeof v4);
      out.address = IpAddress::v4(v4);
      break;
    }
    case address_v6: {
      in6_addr v6;
      std::memcpy(&v6, address, sizeof v6);
      out.address = IpAddress::v6(v6);
      break;
    }
    default:
      return proxy::classify_host(request.substr(5, byte_at(request, 4)), out) != proxy::HostKind::invalid;
  }
  out.text = out.address->to_string();
  return true;
}

std::uint16_t port_at_end_of(std::string_view addressed) {
  const std::size_t size = addressed.size();
  return static_cast<std::uint16_t>((byte_at(addressed, size - 2) << 8) | byte_at(addressed, size - 1));
}

/// ATYP, address and port; returns how many bytes that are.
std::size_t write_address(const SocketAddress& address, char* out) noexcept {
  const IpAddress ip = address.ip().unmapped();
  const std::size_t address_bytes = ip.is_v4() ? 4 : 16;
  out[0] = static_cast<char>(ip.is_v4() ? address_v4 : address_v6);
  std::memcpy(out + 1, ip.bytes().data(), address_bytes);
  out[1 + address_bytes] = static_cast<char>(address.port() >> 8);
  out[2 + address_bytes] = static_cast<char>(address.port() & 0xff);
  return 3 + address_bytes;
}

}  // namespace

ParseOutcome parse_greeting(std::string_view buffered, Greeting& out) noexcept {
  if (buffered.empty()) return {};
  if (byte_at(buffered, 0) == socks4_version) return refuse_socks4(buffered);
  if (byte_at(buffered, 0) != socks5_version) return refuse(no_answer, "not SOCKS5");
  if (buffered.size() < 2) return {};
  const std::size_t size = std::size_t{2} + byte_at(buffered, 1);
  if (buffered.size() < size) return {};
  const std::string_view methods = buffered.substr(2, size - 2);
  out.offers_no_credentials = methods.find(static_cast<char>(Method::no_credentials)) != methods.npos;
  out.offers_user_name_password = methods.find(static_cast<char>(Method::user_name_password)) != methods.npos;
  return complete(size);
}

std::string_view method_selection(Method method) noexcept {
  switch (method) {
    case Method::no_credentials: return "\x05\x00"sv;
    case Method::user_name_password: return "\x05\x02"sv;
    case Method::unacceptable: break;
  }
  return "\x05\xff"sv;
}

ParseOutcome parse_credentials(std::string_view buffered, Credentials& out) noexcept {
  if (buffered.empty()) return {};
  if (byte_at(buffered, 0) != credentials_version)
    return refuse(credentials_reply(CredentialsStatus::failure), "not version 1 of user name/password");
  if (buffered.size() < 2) return {};
  const std::size_t name_bytes = byte_at(buffered, 1);
  const std::size_t password_at = 2 + name_bytes + 1;
  if (buffered.size() < password_at) return {};
  const std::size_t password_bytes = byte_at(buffered, password_at - 1);
  if (buffered.size() < password_at + password_bytes) return {};
  out.name = buffered.substr(2, name_bytes);
  out.password = buffered.substr(password_at, password_bytes);
  return complete(password_at + password_bytes);
}

std::string_view credentials_reply(CredentialsStatus status) noexcept {
  return status == CredentialsStatus::success ? "\x01\x00"sv : "\x01\x01"sv;
}

ParseOutcome parse_request(std::string_view buffered, Request& out) {
  if (buffered.empty()) return {};
  if (byte_at(buffered, 0) != socks5_version)
    return refuse_with(Reply::general_failure, "the request is not SOCKS5");
  if (buffered.size() < 4) return {};
  if (!is_known_address_type(byte_at(buffered, 3)))
    return refuse_with(Reply::address_type_not_supported, "unknown address type");
  const std::size_t size = addressed_bytes(buffered);
  if (size == 0 || buffered.size() < size) return {};

  if (byte_at(buffered, 2) != 0) return refuse_with(Reply::general_failure, "RSV is not 0");
  out.command = Command{byte_at(buffered, 1)};
  if (out.command != Command::connect && out.command != Command::udp_associate)
    return refuse_with(Reply::command_not_supported, "neither CONNECT nor UDP ASSOCIATE");
  const std::string_view request = buffered.substr(0, size);
  out.client.reset();
  const bool is_host = read_host(request, out.host);
  out.port = port_at_end_of(request);
  if (out.command == Command::udp_associate) {
    const bool says_where = is_host && out.host.address && out.port != 0;
    if (says_where) out.client = SocketAddress(*out.host.address, out.port);
    out.host = {};
    out.port = 0;
    return complete(size);
  }
  if (!is_host) return refuse_with(Reply::general_failure, "the host is not a valid name or address");
  if (out.port == 0) return refuse_with(Reply::general_failure, "port 0");
  return complete(size);
}

bool parse_datagram(std::string_view bytes, Datagram& out) {
  if (bytes.size() < 4 || byte_at(bytes, 0) != 0 || byte_at(bytes, 1) != 0) return false;
  const bool is_fragment = byte_at(bytes, 2) != 0;
  if (is_fragment || !is_known_address_type(byte_at(bytes, 3))) return false;
  const std::size_t size = addressed_bytes(bytes);
  if (size == 0 || bytes.size() < size) return false;
  const std::string_view head = bytes.substr(0, size);
  out.port = port_at_end_of(head);
  out.payload = bytes.substr(size);
  return out.port != 0 && read_host(head, out.host);
}

ReplyBytes::ReplyBytes(Reply reply, const SocketAddress& bound) noexcept {
  bytes_[0] = static_cast<char>(socks5_version);
  bytes_[1] = static_cast<char>(reply);
  size_ = 3 + write_address(bound, bytes_.data() + 3);
}

DatagramHead::DatagramHead(const SocketAddress& source) noexcept
    : size_(3 + write_address(source, bytes_.data() + 3)) {}

std::string_view unbound_reply(Reply reply) noexcept {
  static const auto replies = [] {
    std::array<ReplyBytes, 9> all{ReplyBytes(Reply::succeeded, {}),
                                  ReplyBytes(Reply::general_failure, {}),
                                  ReplyBytes(Reply::not_allowed, {}),
                                  ReplyBytes(Reply::network_unreachable, {}),
                                  ReplyBytes(Reply::host_unreachable, {}),
                                  ReplyBytes(Reply::connection_refused, {}),
                                  ReplyBytes(Reply::ttl_expired, {}),
                                  ReplyBytes(Reply::command_not_supported, {}),
                                  ReplyBytes(Reply::address_type_not_supported, {})};
    return all;
  }();
  return replies[static_cast<std::size_t>(reply)].view();
}

}  // namespace payg::socks
