// The input is read four times: as all that a client sends, as its credentials alone, as its request alone,
// as a datagram.

#include "proxy/socks/socks5.h"

#include <cstring>
#include <string>
#include <vector>

#include "tests/fuzz/pieces.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/target_rules.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

using State = socks::ParseState;

/// What came of a message, as text to compare, written while the memory that it lies in is there.
struct Message {
  socks::ParseOutcome outcome;
  std::string meaning;
};

std::uint8_t byte_at(std::string_view bytes, std::size_t index) {
  return index < bytes.size() ? static_cast<std::uint8_t>(bytes[index]) : 0;
}

Message read_greeting(std::string_view bytes) {
  socks::Greeting greeting;
  Message message{.outcome = socks::parse_greeting(bytes, greeting), .meaning = {}};
  if (message.outcome.state != State::complete) return message;
  must(message.outcome.consumed == 2u + byte_at(bytes, 1), "a greeting is as long as it says");
  const std::string_view methods = bytes.substr(2, byte_at(bytes, 1));
  must(greeting.offers_no_credentials == (methods.find('\0') != methods.npos), "method 0 is offered or not");
  must(greeting.offers_user_name_password == (methods.find('\2') != methods.npos),
       "method 2 is offered or not");
  message.meaning = greeting.offers_user_name_password ? "2" : greeting.offers_no_credentials ? "0" : "";
  return message;
}

Message read_credentials(std::string_view bytes) {
  socks::Credentials credentials;
  Message message{.outcome = socks::parse_credentials(bytes, credentials), .meaning = {}};
  if (message.outcome.state != State::complete) return message;
  const std::string name(credentials.name), password(credentials.password);
  std::string written = "\x01";
  written += static_cast<char>(name.size());
  written += name;
  written += static_cast<char>(password.size());
  written += password;
  must(written == bytes.substr(0, message.outcome.consumed), "credentials are what stands there");
  message.meaning = name + '\0' + password;
  return message;
}

std::size_t address_bytes(std::string_view request) {
  switch (byte_at(request, 3)) {
    case 1: return 4;
    case 4: return 16;
    default: return 1u + byte_at(request, 4);
  }
}

std::uint16_t port_in(std::string_view bytes) {
  const std::string_view port = bytes.substr(bytes.size() - 2);
  return static_cast<std::uint16_t>(byte_at(port, 0) * 256 + byte_at(port, 1));
}

/// Three bytes, ATYP, address and port: of a request, and of the head of a datagram.
void is_what_stands_there(std::string_view bytes, const proxy::TargetHost& host, std::uint16_t at_port) {
  must(at_port == port_in(bytes) && at_port != 0, "the port is there");
  is_unambiguous(host);
  const std::string_view address = bytes.substr(4, bytes.size() - 6);
  if (byte_at(bytes, 3) == 3) {
    const bool dotted = address.ends_with('.');
    must(host.address || host.text.size() == address.size() - (dotted ? 2 : 1),
         "a name is the one that was sent");
    return;
  }
  must(host.address.has_value(), "an address is one");
  must(host.address->is_v4() == (address.size() == 4), "an address is of its family");
  must(std::memcmp(host.address->bytes().data(), address.data(), address.size()) == 0,
       "an address is the one that was sent");
}

Message read_request(std::string_view bytes) {
  socks::Request request;
  Message message{.outcome = socks::parse_request(bytes, request), .meaning = {}};
  if (message.outcome.state != State::complete) return message;
  must(message.outcome.consumed == 6 + address_bytes(bytes), "a request is as long as it says");
  must(byte_at(bytes, 0) == 5 && byte_at(bytes, 2) == 0, "a request is one of SOCKS5");
  const std::string_view whole = bytes.substr(0, message.outcome.consumed);
  if (request.command == socks::Command::udp_associate) {
    must(byte_at(bytes, 1) == 3, "UDP ASSOCIATE is what it is");
    must(request.host.text.empty() && request.port == 0, "it names no target");
    must(!request.client || request.client->port() == port_in(whole), "the client's port is there");
  } else {
    must(byte_at(bytes, 1) == 1, "everything else is a CONNECT");
    is_what_stands_there(whole, request.host, request.port);
  }
  message.meaning = request.host.text + ' ' + std::to_string(request.port);
  return message;
}

void read_datagram(std::string_view bytes) {
  socks::Datagram datagram;
  if (!socks::parse_datagram(bytes, datagram)) return;
  must(bytes.starts_with(std::string_view("\0\0\0", 3)), "a datagram is no fragment");
  const std::size_t head_bytes = bytes.size() - datagram.payload.size();
  must(head_bytes == 6 + address_bytes(bytes), "a head is as long as it says");
  is_what_stands_there(bytes.substr(0, head_bytes), datagram.host, datagram.port);
  must(bytes.ends_with(datagram.payload), "what it carries is the rest");
}

using Reader = Message (*)(std::string_view);

/// Reads one message as it arrives; `there` counts the bytes that have, from `begin` on.
Message read_arriving(std::string_view input, const Arrival& arrival, std::size_t& arrived, Reader reader) {
  Message message;
  for (;;) {
    const std::vector<char> memory(input.begin(),
                                   input.begin() + static_cast<std::ptrdiff_t>(arrival[arrived]));
    message = reader({memory.data(), memory.size()});
    if (message.outcome.state != State::incomplete || arrived + 1 == arrival.size()) return message;
    ++arrived;
  }
}

void is_refused_properly(const socks::ParseOutcome& outcome) {
  must(!outcome.detail.empty(), "a refusal says why");
  const std::size_t size = outcome.answer.size();
  must(size == 0 || size == 2 || size == 8 || size == 10, "an answer is one of SOCKS4 or SOCKS5");
}

/// Each message of a conversation, one after the other, until one is refused or the input ends.
std::vector<Message> converse(std::string_view input, const Arrival& whole_arrival) {
  std::vector<Message> messages;
  std::size_t consumed = 0;
  for (const Reader reader : {Reader(read_greeting), Reader(read_credentials), Reader(read_request)}) {
    if (reader == Reader(read_credentials) && messages.back().meaning != "2") continue;
    Arrival arrival;
    for (const std::size_t there : whole_arrival)
      if (there >= consumed) arrival.push_back(there - consumed);
    std::size_t arrived = 0;
    messages.push_back(read_arriving(input.substr(consumed), arrival, arrived, reader));
    const auto& outcome = messages.back().outcome;
    if (outcome.state == State::refused) is_refused_properly(outcome);
    if (outcome.state != State::complete) break;
    consumed += outcome.consumed;
    must(consumed <= input.size(), "no more is consumed than there was");
  }
  return messages;
}

void same(const Message& a, const Message& b) {
  must(a.outcome.state == b.outcome.state && a.outcome.consumed == b.outcome.consumed &&
           a.outcome.answer == b.outcome.answer && a.outcome.detail == b.outcome.detail &&
           a.meaning == b.meaning,
       "the cut of the bytes makes no difference");
}

void replies_are_well_formed(std::string_view input) {
  in6_addr address{};
  std::memcpy(&address, input.data(), std::min(input.size(), sizeof address));
  const IpAddress ip = IpAddress::v6(address);
  const socks::ReplyBytes reply(socks::Reply::succeeded, SocketAddress(ip, 0x1234));
  const bool v4 = ip.unmapped().is_v4();
  must(reply.view().size() == (v4 ? 10u : 22u) && byte_at(reply.view(), 3) == (v4 ? 1 : 4),
       "a reply is as long as its address is");
  must(reply.view().ends_with("\x12\x34"), "a reply ends with the port");
}

}  // namespace

void socks5(std::string_view input) {
  const auto whole = converse(input, {input.size()});
  for (const Arrival& arrival : arrivals_of(input)) {
    const auto cut = converse(input, arrival);
    must(cut.size() == whole.size(), "the cut of the bytes makes no difference");
    for (std::size_t i = 0; i < cut.size(); ++i) same(cut[i], whole[i]);
    for (const Reader reader : {Reader(read_credentials), Reader(read_request)}) {
      std::size_t arrived = 0;
      same(read_arriving(input, arrival, arrived, reader), reader(input));
    }
  }
  read_datagram(input);
  replies_are_well_formed(input);
}

}  // namespace payg::fuzz
