#include "tests/support/harness/socks_client.h"

#include <cstring>

#include "tests/support/harness/http_message.h"
#include "tests/support/harness/patience.h"

namespace payg::test {

namespace socks {

namespace {

char as_byte(std::size_t value) {
  return static_cast<char>(static_cast<unsigned char>(value));
}
int as_number(char byte) {
  return static_cast<unsigned char>(byte);
}

Reply exchange_request(Stream& stream, const std::string& request) {
  stream.send(request);
  return read_reply(stream);
}

void choose_method(Stream& stream, std::string_view methods) {
  stream.send(greeting(methods));
  const std::string chosen = stream.read_exactly(2);
  if (chosen != "\x05" + std::string(methods)) throw HarnessError("the SOCKS5 method was not taken");
}

}  // namespace

std::string greeting(std::string_view methods) {
  return std::string("\x05") + as_byte(methods.size()) + std::string(methods);
}

std::string password(std::string_view user, std::string_view token) {
  return std::string("\x01") + as_byte(user.size()) + std::string(user) + as_byte(token.size()) +
         std::string(token);
}

std::string request(std::uint8_t command, std::uint8_t address_type, std::string_view address,
                    std::uint16_t port) {
  return std::string("\x05") + as_byte(command) + as_byte(0) + as_byte(address_type) + std::string(address) +
         as_byte(port >> 8U) + as_byte(port & 0xFFU);
}

std::string connect_to(const SocketAddress& target) {
  const std::string_view bytes(reinterpret_cast<const char*>(target.ip().bytes().data()),
                               target.ip().is_v4() ? 4 : 16);
  return request(connect, target.ip().is_v4() ? ipv4 : ipv6, bytes, target.port());
}

std::string connect_to_name(std::string_view name, std::uint16_t port) {
  return request(connect, domain, as_byte(name.size()) + std::string(name), port);
}

std::string associate() {
  return request(udp_associate, ipv4, std::string(4, '\0'), 0);
}

// Laid out as a request is, with RSV, RSV and FRAG in the place of VER, CMD and RSV.
std::string datagram_to(const SocketAddress& target, std::string_view payload) {
  return std::string(3, '\0') + connect_to(target).substr(3) + std::string(payload);
}

std::string datagram_to_name(std::string_view name, std::uint16_t port, std::string_view payload) {
  return std::string(3, '\0') + connect_to_name(name, port).substr(3) + std::string(payload);
}

SocketAddress bound_in(const Reply& reply) {
  if (reply.address_type == ipv4 && reply.address.size() == 4) {
    in_addr address;
    std::memcpy(&address, reply.address.data(), sizeof address);
    return {IpAddress::v4(address), reply.port};
  }
  if (reply.address_type == ipv6 && reply.address.size() == 16) {
    in6_addr address;
    std::memcpy(&address, reply.address.data(), sizeof address);
    return {IpAddress::v6(address), reply.port};
  }
  throw HarnessError("the reply names no address");
}

Reply read_reply(Stream& stream) {
  const std::string head = stream.read_exactly(4);
  Reply reply{.version = as_number(head[0]),
              .code = as_number(head[1]),
              .reserved = as_number(head[2]),
              .address_type = as_number(head[3]),
              .address = {},
              .port = 0};
  std::size_t length = reply.address_type == ipv6 ? 16 : 4;
  if (reply.address_type == domain) length = static_cast<unsigned char>(stream.read_exactly(1)[0]);
  reply.address = stream.read_exactly(length);
  const std::string port = stream.read_exactly(2);
  reply.port = static_cast<std::uint16_t>(as_number(port[0]) << 8 | as_number(port[1]));
  return reply;
}

Reply open(Stream& stream, const std::string& request) {
  choose_method(stream, no_authentication);
  return exchange_request(stream, request);
}

Reply open(Stream& stream, const std::string& request, std::string_view user, std::string_view token) {
  choose_method(stream, user_and_password);
  stream.send(password(user, token));
  const std::string status = stream.read_exactly(2);
  if (status[1] != 0) {
    Reply refused;
    refused.version = as_number(status[0]);
    refused.code = as_number(status[1]);
    return refused;
  }
  return exchange_request(stream, request);
}

}  // namespace socks

namespace {

/// RFC 4648 §4.
std::string encode_base64(const std::string& bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto byte = [&](std::size_t i) -> unsigned {
      return at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U;
    };
    const unsigned group = byte(0) << 16U | byte(1) << 8U | byte(2);
    for (unsigned i = 0; i < 4; ++i) out += alphabet[group >> (18U - 6U * i) & 63U];
  }
  const std::size_t padding = (3 - bytes.size() % 3) % 3;
  return out.replace(out.size() - padding, padding, padding, '=');
}

}  // namespace

std::string basic_credentials(const std::string& user, const std::string& token) {
  return "Basic " + encode_base64(user + ":" + token);
}

HttpResponse http_connect(Stream& stream, const std::string& authority, const std::string& user,
                          const std::string& token) {
  std::string head = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  if (!user.empty()) head += "Proxy-Authorization: " + basic_credentials(user, token) + "\r\n";
  stream.send(head + "\r\n");
  return read_response(stream, "CONNECT");
}

}  // namespace payg::test
