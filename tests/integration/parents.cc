#include "tests/integration/parents.h"

#include "tests/support/harness/patience.h"
#include "tests/support/harness/socks_client.h"

namespace payg::test {
namespace {

std::size_t byte_of(char c) {
  return static_cast<unsigned char>(c);
}

}  // namespace

const std::string socks_ok{"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10};

FakeParent::FakeParent(Protocol protocol, ParentScript script, std::string_view address)
    : protocol_(protocol),
      script_(std::move(script)),
      origin_([this](OriginConnection& connection) { serve(connection); }, address) {}

void FakeParent::serve(OriginConnection& connection) {
  const bool served = protocol_ == Protocol::http ? hear_http(connection) : hear_socks5(connection);
  if (!served) return;
  if (script_.answer.empty()) {
    connection.stream().read_to_end();
    return;
  }
  say(connection, script_.answer);
  if (script_.then) script_.then(connection);
}

bool FakeParent::hear_http(OriginConnection& connection) {
  std::string raw;
  try {
    raw = connection.stream().read_until("\r\n\r\n");
  } catch (const HarnessError&) {
    return false;  // a probe
  }
  note(raw);
  if (script_.user.empty()) return true;
  const auto given = parse_head(raw).field("Proxy-Authorization");
  if (given == basic_credentials(script_.user, script_.password)) return true;
  say(connection, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
  return false;
}

bool FakeParent::hear_socks5(OriginConnection& connection) {
  Stream& stream = connection.stream();
  try {
    const std::size_t methods = byte_of(stream.read_exactly(2)[1]);
    stream.read_exactly(methods);
    if (script_.user.empty()) {
      say(connection, std::string("\x05\x00", 2));
    } else {
      say(connection, "\x05\x02");
      const std::string wanted = socks::password(script_.user, script_.password);
      const bool right = stream.read_exactly(wanted.size()) == wanted;
      say(connection, right ? std::string("\x01\x00", 2) : "\x01\x01");
      if (!right) return false;
    }
    const std::string head = stream.read_exactly(4);
    const std::size_t size = head[3] == 1 ? 4 : head[3] == 4 ? 16 : byte_of(stream.read_exactly(1)[0]);
    const std::string host = stream.read_exactly(size);
    const std::string port = stream.read_exactly(2);
    std::string name = host;
    if (head[3] == 1)
      name = std::to_string(byte_of(host[0])) + "." + std::to_string(byte_of(host[1])) + "." +
             std::to_string(byte_of(host[2])) + "." + std::to_string(byte_of(host[3]));
    note(name + ":" + std::to_string(byte_of(port[0]) * 256 + byte_of(port[1])));
    return true;
  } catch (const HarnessError&) {
    return false;  // a probe
  }
}

void FakeParent::say(OriginConnection& connection, std::string_view bytes) {
  if (script_.pieces == Pieces::byte_by_byte) {
    connection.stream().send_slowly(bytes);
  } else {
    connection.send(bytes);
  }
}

void FakeParent::note(std::string asked) {
  const std::lock_guard lock(mutex_);
  asked_.push_back(std::move(asked));
}

std::vector<std::string> FakeParent::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

std::vector<std::string> FakeParent::wait_for_asked(std::size_t count) const {
  if (!eventually([&] { return asked().size() >= count; })) throw HarnessError("nobody asked the parent");
  return asked();
}

}  // namespace payg::test
