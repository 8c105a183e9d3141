#include "tests/foreign/foreign_server.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "plugin/base/unique_fd.h"
#include "tests/support/harness/patience.h"
#include "tests/support/harness/temp_folder.h"
#include "tests/support/server_program.h"

namespace payg::test {
namespace {

std::string log_path(const std::string& folder) {
  return folder + "/log";
}

}  // namespace

ForeignServer::ForeignServer() : folder_(make_server_folder()) {}

ForeignServer::~ForeignServer() {
  kill();
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

void ForeignServer::start(const Configure& configure) {
  start_on_a_free_port([&](const SocketAddress& address) {
    address_ = address;
    command_ = configure(address);
    start_again();
  });
}

void ForeignServer::start_again() {
  const std::string& program = command_.front();
  if (!std::filesystem::exists(program)) throw HarnessError(program + " is not installed");
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::filesystem::remove(log_path(folder_));
  process_ = start_server_program(command_, nothing.get(), log_path(folder_), Lifetime::ends_with_the_thread);
  const bool something_happened = eventually([this] { return is_listened_on(address_) || has_ended(); });
  if (something_happened && !has_ended()) return;
  kill();
  throw HarnessError(program + " does not listen on " + address_.to_string() + ":\n" + log());
}

bool ForeignServer::has_ended() {
  if (process_ >= 0 && ::waitpid(process_, nullptr, WNOHANG) == process_) process_ = -1;
  return process_ < 0;
}

void ForeignServer::kill() {
  if (has_ended()) return;
  kill_with_children(process_);
  wait_for_program(process_);
  process_ = -1;
}

std::string ForeignServer::log() const {
  return std::filesystem::exists(log_path(folder_)) ? read_file(log_path(folder_)) : std::string();
}

}  // namespace payg::test
