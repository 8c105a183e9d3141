#include "tests/foreign/foreign_server.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "plugin/base/unique_fd.h"
#include "tests/support/harness/patience.h"
#include "tests/support/harness/stream.h"
#include "tests/support/harness/temp_folder.h"
#include "tests/support/server_program.h"

namespace payg::test {
namespace {

std::string log_path(const std::string& folder) {
  return folder + "/log";
}

}  // namespace

/// Process ids have 22 bits at most (proc(5), pid_max), 127.0.0.0/8 has room for 24. The first quarter stays
/// free: 127.0.0.1 is everybody's.
IpAddress own_loopback_address() {
  const auto process = static_cast<unsigned>(::getpid());
  const std::string literal = "127." + std::to_string(64 + (process >> 16 & 0x3F)) + "." +
                              std::to_string(process >> 8 & 0xFF) + "." + std::to_string(process & 0xFF);
  return IpAddress::parse(literal).value();
}

ForeignServer::ForeignServer(std::uint16_t port)
    : folder_(make_server_folder()), address_(own_loopback_address(), port) {}

ForeignServer::~ForeignServer() {
  if (process_ >= 0) kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string ForeignServer::write(const std::string& name, const std::string& content) const {
  const std::string path = folder_ + "/" + name;
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  if (!file) throw HarnessError("cannot write " + path);
  return path;
}

void ForeignServer::start(const std::vector<std::string>& command) {
  if (!std::filesystem::exists(command.front())) throw HarnessError(command.front() + " is not installed");
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  process_ = start_server_program(command, nothing.get(), log_path(folder_), Lifetime::ends_with_the_thread);
  if (!eventually([this] { return takes_connections(); }))
    throw HarnessError(command.front() + " does not listen on " + address_.to_string() + ":\n" + log());
}

bool ForeignServer::takes_connections() const {
  try {
    RawClient attempt(address_);
    return true;
  } catch (const HarnessError&) {
    return false;
  }
}

void ForeignServer::kill() {
  kill_with_children(process_);
  wait_for_program(process_);
  process_ = -1;
}

std::string ForeignServer::log() const {
  return std::filesystem::exists(log_path(folder_)) ? read_file(log_path(folder_)) : std::string();
}

}  // namespace payg::test
