#include "tests/support/postgres_relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>

#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

// https://www.postgresql.org/docs/15/protocol-message-formats.html
constexpr char command_complete = 'C';
constexpr char ready_for_query = 'Z';
constexpr std::size_t header_size = 5;  // the kind, and a length that counts itself

std::size_t size_of_message(const std::string& bytes) {
  std::size_t length = 0;
  for (std::size_t i = 1; i < header_size; ++i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
  return length + 1;
}

Stream connect_to_socket(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    throw HarnessError("no server at " + path);
  return Stream(std::move(socket));
}

}  // namespace

PostgresRelay::PostgresRelay(const std::string& database_url)
    : server_(PostgresUrl::parse(database_url)),
      origin_([this](OriginConnection& connection) { relay(connection); }) {}

PostgresRelay::~PostgresRelay() {
  go_on();
}

std::string PostgresRelay::url() const {
  PostgresUrl here = server_;
  here.host = address().ip().to_string();
  here.port = std::to_string(address().port());
  // Nothing is encrypted, or there would be nothing to read.
  return here.to_string() + "&sslmode=disable&gssencmode=disable";
}

void PostgresRelay::lose_answers(const std::string& words, int times) {
  const std::lock_guard lock(mutex_);
  words_ = words;
  to_lose_ = times;
  lost_ = 0;
}

int PostgresRelay::answers_lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

void PostgresRelay::hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
}

void PostgresRelay::hold_at(const std::string& words) {
  const std::lock_guard lock(mutex_);
  hold_at_ = words;
}

void PostgresRelay::hold_if_said(const std::string& asked) {
  const std::lock_guard lock(mutex_);
  if (!hold_at_.empty() && asked.find(hold_at_) != std::string::npos) held_ = true;
}

void PostgresRelay::go_on() {
  {
    const std::lock_guard lock(mutex_);
    held_ = false;
    hold_at_.clear();
  }
  changed_.notify_all();
}

void PostgresRelay::wait_while_held() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !held_; });
}

void PostgresRelay::relay(OriginConnection& connection) {
  wait_while_held();
  Stream& client = connection.stream();
  Stream server = connect_to_socket(server_.socket_path());
  Conversation conversation;
  for (;;) {
    std::array<pollfd, 2> ends{pollfd{client.fd(), POLLIN, 0}, pollfd{server.fd(), POLLIN, 0}};
    ::poll(ends.data(), ends.size(), -1);
    wait_while_held();
    if (ends[0].revents != 0) {
      const std::string bytes = client.read_some();
      conversation.asked += bytes;
      hold_if_said(conversation.asked);
      wait_while_held();
      if (bytes.empty() || !server.try_send(bytes)) return;
    }
    if (ends[1].revents != 0) {
      const std::string bytes = server.read_some();
      conversation.unparsed += bytes;
      std::string passed;
      if (judge(conversation, passed) == Fate::is_cut) return connection.reset();
      if (bytes.empty() || !client.try_send(passed)) return;
    }
  }
}

PostgresRelay::Fate PostgresRelay::judge(Conversation& conversation, std::string& passed) {
  std::string& bytes = conversation.unparsed;
  while (bytes.size() >= header_size && bytes.size() >= size_of_message(bytes)) {
    const std::string message = bytes.substr(0, size_of_message(bytes));
    bytes.erase(0, message.size());
    const bool commits =
        message[0] == command_complete && std::string_view(message).substr(header_size).starts_with("COMMIT");
    if (commits && is_to_be_lost(conversation)) return Fate::is_cut;
    if (message[0] == ready_for_query) conversation.asked.clear();
    passed += message;
  }
  return Fate::goes_on;
}

bool PostgresRelay::is_to_be_lost(const Conversation& conversation) {
  const std::lock_guard lock(mutex_);
  if (lost_ == to_lose_ || conversation.asked.find(words_) == std::string::npos) return false;
  ++lost_;
  return true;
}

}  // namespace payg::test
