#include "proxy/proxy_protocol.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace payg::proxy {
namespace {

using State = ProxyHeader::State;
using namespace std::string_view_literals;

constexpr auto signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t fixed_bytes = 16;
constexpr auto text_start = "PROXY "sv;

constexpr ProxyHeader incomplete{.state = State::incomplete};
constexpr ProxyHeader malformed{.state = State::malformed};

std::uint8_t byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<std::uint8_t>(bytes[index]);
}

std::uint16_t port_at(std::string_view bytes, std::size_t index) {
  return static_cast<std::uint16_t>(byte_at(bytes, index) << 8 | byte_at(bytes, index + 1));
}

// ---- version 2, section 2.2

/// `fields`: what stands behind the fixed part: source address, destination address, source port, ...
std::optional<SocketAddress> source_v4(std::string_view fields) {
  in_addr address;
  std::memcpy(&address, fields.data(), sizeof address);
  return SocketAddress(IpAddress::v4(address), port_at(fields, 8));
}

std::optional<SocketAddress> source_v6(std::string_view fields) {
  in6_addr address;
  std::memcpy(&address, fields.data(), sizeof address);
  return SocketAddress(IpAddress::v6(address).unmapped(), port_at(fields, 32));
}

ProxyHeader read_addresses(std::uint8_t family, std::string_view fields, ProxyHeader header) {
  constexpr std::size_t v4_bytes = 12, v6_bytes = 36, unix_bytes = 216;
  switch (family) {
    case 0x00: return header;  // unspecified
    case 0x11:
    case 0x12:  // over UDP, which says nothing of this connection
      if (fields.size() < v4_bytes) return malformed;
      if (family == 0x11) header.client = source_v4(fields);
      return header;
    case 0x21:
    case 0x22:
      if (fields.size() < v6_bytes) return malformed;
      if (family == 0x21) header.client = source_v6(fields);
      return header;
    case 0x31:
    case 0x32: return fields.size() < unix_bytes ? malformed : header;
    default: return malformed;
  }
}

ProxyHeader parse_binary(std::string_view received) {
  if (received.size() < fixed_bytes) return incomplete;
  constexpr std::uint8_t local = 0x20, proxy = 0x21;
  const std::uint8_t command = byte_at(received, 12);
  if (command != local && command != proxy) return malformed;
  const std::size_t length = port_at(received, 14);
  if (length > ProxyHeader::most_binary_bytes) return malformed;
  if (received.size() < fixed_bytes + length) return incomplete;
  const ProxyHeader header{.state = State::complete, .bytes = fixed_bytes + length};
  if (command == local) return header;
  return read_addresses(byte_at(received, 13), received.substr(fixed_bytes, length), header);
}

// ---- version 1, section 2.1

/// Takes what stands before the next blank, and the blank.
std::string_view take_word(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool is_whole = !text.empty() && error == std::errc() && end == text.data() + text.size();
  if (!is_whole || (text.front() == '0' && text.size() > 1)) return {};
  return port;
}

/// `line`: without "PROXY " and CRLF.
ProxyHeader read_line(std::string_view line, ProxyHeader header) {
  const auto protocol = take_word(line);
  if (protocol == "UNKNOWN"sv) return header;
  if (protocol != "TCP4"sv && protocol != "TCP6"sv) return malformed;
  const auto family = protocol == "TCP4"sv ? IpAddress::Family::v4 : IpAddress::Family::v6;
  const auto source = IpAddress::parse(take_word(line));
  const auto destination = IpAddress::parse(take_word(line));
  const auto source_port = port_of(take_word(line));
  const auto destination_port = port_of(line);
  const bool is_whole = source && destination && source_port && destination_port;
  if (!is_whole || source->family() != family || destination->family() != family) return malformed;
  header.client = SocketAddress(source->unmapped(), *source_port);
  return header;
}

ProxyHeader parse_text(std::string_view received) {
  const auto seen = received.substr(0, ProxyHeader::most_text_bytes);
  const auto end = seen.find_first_of("\r\n\0"sv);
  if (end == seen.npos) return seen.size() < ProxyHeader::most_text_bytes ? incomplete : malformed;
  if (seen[end] != '\r') return malformed;
  if (end + 1 == seen.size()) return seen.size() < ProxyHeader::most_text_bytes ? incomplete : malformed;
  if (seen[end + 1] != '\n') return malformed;
  return read_line(seen.substr(text_start.size(), end - text_start.size()),
                   {.state = State::complete, .bytes = end + 2});
}

bool begins_alike(std::string_view received, std::string_view start) {
  const auto length = std::min(received.size(), start.size());
  return received.substr(0, length) == start.substr(0, length);
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view received) noexcept {
  if (received.empty()) return incomplete;
  if (begins_alike(received, signature)) return parse_binary(received);
  if (!begins_alike(received, text_start)) return malformed;
  return received.size() < text_start.size() ? incomplete : parse_text(received);
}

}  // namespace payg::proxy
