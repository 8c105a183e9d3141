#include "tests/support/pgbouncer.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <thread>

#include "plugin/base/unique_fd.h"
#include "tests/support/postgres_url.h"
#include "tests/support/server_program.h"

namespace payg::test {
namespace {

constexpr const char* program = "/usr/sbin/pgbouncer";

}  // namespace

PgBouncer::PgBouncer(const std::string& database_url) : folder_(make_server_folder()) {
  const PostgresUrl server = PostgresUrl::parse(database_url);
  PostgresUrl through = server;
  through.host = folder_;
  through.port = "6432";
  url_ = through.to_string();
  std::ofstream settings(folder_ + "/pgbouncer.ini");
  settings << "[databases]\n* = host=" << server.host << " port=" << server.port << " user=" << server.user
           << "\n[pgbouncer]\nlisten_port = 6432\nunix_socket_dir = " << folder_
           << "\nauth_type = any\npool_mode = transaction\ndefault_pool_size = " << pool_size
           << "\nserver_login_retry = 1\nserver_reset_query_always = 0\n";
  settings.close();
  if (!settings) throw std::runtime_error("cannot write pgbouncer.ini");
  start();
  wait_until_it_answers();
}

PgBouncer::~PgBouncer() {
  kill(process_, SIGKILL);
  wait_for_program(process_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void PgBouncer::start() {
  if (!std::filesystem::exists(program)) throw std::runtime_error(std::string(program) + " is not installed");
  const UniqueFd nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
  process_ = start_server_program({program, folder_ + "/pgbouncer.ini"}, nothing.get(), folder_ + "/log",
                                  Lifetime::ends_with_the_thread);
}

void PgBouncer::wait_until_it_answers() const {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (PQping(url_.c_str()) != PQPING_OK) {
    if (std::chrono::steady_clock::now() > limit)
      throw std::runtime_error("PgBouncer does not answer: " + log());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::string PgBouncer::log() const {
  std::ifstream file(folder_ + "/log");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace payg::test
