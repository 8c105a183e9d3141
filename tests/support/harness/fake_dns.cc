#include "tests/support/harness/fake_dns.h"

#include <sys/socket.h>

#include <array>
#include <optional>

#include "plugin/base/text.h"
#include "tests/support/harness/patience.h"

namespace payg::test {

namespace {

constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_aaaa = 28;
constexpr std::size_t header_size = 12;

struct Question {
  std::string name;  // lower case, without the last dot
  std::uint16_t type = 0;
  std::size_t end = 0;  // offset behind it in the query
};

/// RFC 1035 §4.1.2; a query has one question and no compression.
std::optional<Question> parse_question(std::string_view query) {
  Question question;
  std::size_t at = header_size;
  while (at < query.size() && query[at] != 0) {
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(query[at]));
    if (length > 63 || at + 1 + length >= query.size()) return std::nullopt;
    if (!question.name.empty()) question.name += '.';
    question.name += ascii_lower(query.substr(at + 1, length));
    at += 1 + length;
  }
  if (at + 5 > query.size()) return std::nullopt;
  question.type = static_cast<std::uint16_t>(static_cast<unsigned char>(query[at + 1]) << 8 |
                                             static_cast<unsigned char>(query[at + 2]));
  question.end = at + 5;
  return question;
}

void append_16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8 & 0xFF);
  out += static_cast<char>(value & 0xFF);
}

void append_record(std::string& out, const IpAddress& address) {
  append_16(out, 0xC000 | header_size);  // a pointer to the name in the question
  append_16(out, address.is_v4() ? type_a : type_aaaa);
  append_16(out, 1);  // IN
  append_16(out, 0);
  append_16(out, 60);  // seconds to live
  const std::size_t length = address.is_v4() ? 4 : 16;
  append_16(out, length);
  out.append(reinterpret_cast<const char*>(address.bytes().data()), length);
}

std::vector<IpAddress> addresses_of(const std::vector<std::string>& literals) {
  std::vector<IpAddress> addresses;
  for (const auto& literal : literals) addresses.push_back(IpAddress::parse(literal).value());
  return addresses;
}

}  // namespace

FakeDns::FakeDns() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_storage name{};
  const socklen_t length = SocketAddress(*IpAddress::parse("127.0.0.1"), 0).to(name);
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&name), length) != 0) {
    throw HarnessError("no UDP port for the name server");
  }
  address_ = local_address(socket_.get()).value();
  thread_ = std::thread([this] { serve(); });
}

FakeDns::~FakeDns() {
  // An empty datagram from itself ends the loop: shutdown() does not wake recvfrom() on UDP everywhere.
  sockaddr_storage name{};
  const socklen_t length = address_.to(name);
  ::sendto(socket_.get(), "", 0, 0, reinterpret_cast<const sockaddr*>(&name), length);
  thread_.join();
}

void FakeDns::set(const std::string& name, const std::vector<std::string>& literals) {
  Entry entry;
  entry.addresses = addresses_of(literals);
  const std::lock_guard lock(mutex_);
  entries_[name] = entry;
}

void FakeDns::set_rebinding(const std::string& name, const std::vector<std::string>& first,
                            const std::vector<std::string>& later) {
  Entry entry;
  entry.addresses = addresses_of(later);
  entry.first = addresses_of(first);
  entry.first_for = {type_a, type_aaaa};
  const std::lock_guard lock(mutex_);
  entries_[name] = entry;
}

void FakeDns::set_silent_for_ipv6(const std::string& name, const std::vector<std::string>& literals) {
  set(name, literals);
  const std::lock_guard lock(mutex_);
  entries_[name].silent_for_ipv6 = true;
}

void FakeDns::set_silent(const std::string& name) {
  const std::lock_guard lock(mutex_);
  entries_[name] = Entry{.addresses = {}, .first = {}, .first_for = {}, .silent = true};
}

int FakeDns::questions(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = questions_.find(name);
  return found == questions_.end() ? 0 : found->second;
}

void FakeDns::serve() {
  std::array<char, 2048> buffer{};
  for (;;) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const ssize_t got = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &length);
    if (got <= 0) return;
    const std::string reply = reply_to(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
    if (reply.empty()) continue;
    ::sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&from), length);
  }
}

std::string FakeDns::reply_to(std::string_view query) {
  if (query.size() < header_size) return {};
  const auto question = parse_question(query);
  if (!question) return {};
  const std::lock_guard lock(mutex_);
  ++questions_[question->name];
  const auto found = entries_.find(question->name);
  if (found != entries_.end() && found->second.silent) return {};
  if (found != entries_.end() && found->second.silent_for_ipv6 && question->type == type_aaaa) return {};

  std::string records;
  std::size_t count = 0;
  if (found != entries_.end()) {
    Entry& entry = found->second;
    for (const auto& address : entry.first_for.erase(question->type) == 1 ? entry.first : entry.addresses) {
      if (question->type != (address.is_v4() ? type_a : type_aaaa)) continue;
      append_record(records, address);
      ++count;
    }
  }
  std::string reply(query.substr(0, 2));                          // the query's id
  append_16(reply, found == entries_.end() ? 0x8183U : 0x8180U);  // response, recursion; NXDOMAIN or no error
  append_16(reply, 1);
  append_16(reply, count);
  append_16(reply, 0);
  append_16(reply, 0);
  reply += query.substr(header_size, question->end - header_size);
  return reply + records;
}

}  // namespace payg::test
