// The header by which a load balancer says for whom it connects, by a second reading that only knows whole
// headers.

#include <cstring>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "proxy/proxy_protocol.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

using proxy::parse_proxy_header;
using proxy::ProxyHeader;
using namespace std::string_view_literals;

constexpr auto signature = "\r\n\r\n\0\r\nQUIT\n"sv;

ProxyHeader read(std::string_view bytes) {
  // In memory of its own, so that a sanitizer sees every look beside it.
  const std::vector<char> memory(bytes.begin(), bytes.end());
  return parse_proxy_header({memory.data(), memory.size()});
}

/// The text between "PROXY " and CRLF, as section 2.1 has it.
void is_a_line(std::string_view line, const ProxyHeader& header) {
  static const std::regex known(
      R"((TCP4|TCP6) ([0-9a-fA-F:.]+) ([0-9a-fA-F:.]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4}))");
  const std::string text(line);
  if (text == "UNKNOWN" || text.starts_with("UNKNOWN ")) {
    return must(!header.client, "nobody knows an unknown client");
  }
  std::smatch parts;
  must(std::regex_match(text, parts, known), "a line is what section 2.1 says");
  const auto source = IpAddress::parse(parts.str(2)), destination = IpAddress::parse(parts.str(3));
  must(source && destination, "addresses are addresses");
  must(source->is_v4() == (parts.str(1) == "TCP4") && destination->is_v4() == source->is_v4(),
       "addresses are of their family");
  must(std::stoul(parts.str(4)) <= 65535 && std::stoul(parts.str(5)) <= 65535, "ports are ports");
  must(header.client ==
           SocketAddress(source->unmapped(), static_cast<std::uint16_t>(std::stoul(parts.str(4)))),
       "the client is the source");
}

unsigned byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

/// A whole header of version 2, as section 2.2 has it.
void is_binary(std::string_view bytes, const ProxyHeader& header) {
  must(bytes.size() == 16 + byte_at(bytes, 14) * 256 + byte_at(bytes, 15), "a header is as long as it says");
  must(bytes.size() <= ProxyHeader::most_bytes, "a header is bounded");
  const unsigned command = byte_at(bytes, 12), family = byte_at(bytes, 13);
  must(command == 0x20 || command == 0x21, "a command is one of two");
  const bool is_v4 = command == 0x21 && family == 0x11, is_v6 = command == 0x21 && family == 0x21;
  must(header.client.has_value() == (is_v4 || is_v6), "a client has an address of TCP");
  if (!header.client) return;
  const std::size_t length = is_v4 ? 4 : 16;
  must(bytes.size() >= 16 + 2 * length + 4, "an address has room in its header");
  in6_addr v6;
  in_addr v4;
  std::memcpy(is_v4 ? static_cast<void*>(&v4) : &v6, bytes.data() + 16, length);
  const auto ip = is_v4 ? IpAddress::v4(v4) : IpAddress::v6(v6).unmapped();
  const auto port = byte_at(bytes, 16 + 2 * length) * 256 + byte_at(bytes, 17 + 2 * length);
  must(header.client == SocketAddress(ip, static_cast<std::uint16_t>(port)), "the client is the source");
}

void is_what_stands_there(std::string_view input, const ProxyHeader& header) {
  must(header.bytes != 0 && header.bytes <= input.size(), "no more is taken than there was");
  const auto own = input.substr(0, header.bytes);
  if (own.starts_with(signature)) return is_binary(own, header);
  must(own.starts_with("PROXY ") && own.ends_with("\r\n") && own.size() <= ProxyHeader::most_text_bytes,
       "a line has a beginning, an end and a bound");
  is_a_line(own.substr(6, own.size() - 8), header);
}

}  // namespace

void proxy_header(std::string_view input) {
  const ProxyHeader whole = read(input);
  if (whole.state == ProxyHeader::State::complete) is_what_stands_there(input, whole);
  must(whole.state != ProxyHeader::State::incomplete || input.size() < ProxyHeader::most_bytes,
       "nobody waits for ever");
  for (const Arrival& arrival : arrivals_of(input)) {
    for (const std::size_t there : arrival) {
      const ProxyHeader part = read(input.substr(0, there));
      if (part.state == ProxyHeader::State::incomplete) continue;
      must(part.state == whole.state && part.bytes == whole.bytes && part.client == whole.client,
           "the cut of the bytes makes no difference");
      break;
    }
  }
}

}  // namespace payg::fuzz
