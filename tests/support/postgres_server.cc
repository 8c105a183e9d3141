#include "tests/support/postgres_server.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "plugin/base/address.h"
#include "tests/support/postgres_url.h"
#include "tests/support/server_program.h"

namespace payg::test {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void give_up(const std::string& why) {
  throw std::runtime_error("test PostgreSQL: " + why);
}

/// The folder of the newest PostgreSQL's programs: Debian does not put initdb on the PATH.
const fs::path& programs() {
  static const fs::path found = [] {
    std::vector<fs::path> versions;
    std::error_code missing;
    for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", missing)) {
      if (fs::exists(version.path() / "bin" / "initdb")) versions.push_back(version.path() / "bin");
    }
    if (versions.empty()) give_up("not installed (expected /usr/lib/postgresql/VERSION/bin/initdb)");
    return *std::max_element(versions.begin(), versions.end());
  }();
  return found;
}

struct Finish {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct Clear {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};

std::string run_sql(const std::string& url, const std::string& sql) {
  const std::unique_ptr<PGconn, Finish> connection(PQconnectdb(url.c_str()));
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  const std::unique_ptr<PGresult, Clear> result(PQexec(connection.get(), sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    give_up(sql + ": " + PQerrorMessage(connection.get()));
  return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

/// Bound, and not listening: whoever else asks for a free port gets another one, and a server that asks for
/// this one gets it, since both allow the address to be used again.
UniqueFd take_port() {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    give_up("no free port");
  return socket;
}

/// The same server, another database.
std::string with_database(const std::string& url, const std::string& database) {
  PQconninfoOption* const options = PQconninfoParse(url.c_str(), nullptr);
  if (options == nullptr) give_up("PAYG_TEST_POSTGRES is not a connection URL");
  std::string made = "postgresql://?dbname=" + database;
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val == nullptr || std::strcmp(option->keyword, "dbname") == 0) continue;
    made += std::string("&") + option->keyword + "=" + percent_encoded(option->val);
  }
  PQconninfoFree(options);
  return made;
}

}  // namespace

PostgresServer::PostgresServer(Options options) {
  prepare(options.listening);
  initialise(options.settings);
  start();
}

PostgresServer::PostgresServer(StandbyOf what) {
  const PostgresServer& primary = what.primary;
  prepare(primary.port_is_taken_ ? Listening::on_a_port_too : Listening::on_a_socket);
  copy(primary);
  start();
  primary.run("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
  primary.run("postgres", "SELECT pg_reload_conf()");
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (primary.run("postgres", "SELECT max(sync_state) FROM pg_stat_replication") != "sync") {
    if (std::chrono::steady_clock::now() > limit) give_up("the standby does not follow");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

PostgresServer::~PostgresServer() {
  // The keeper stops the server and removes the folder once its standard input has ended.
  keeper_lifeline_.reset();
  if (keeper_ > 0) wait_for_program(keeper_);
}

void PostgresServer::prepare(Listening listening) {
  folder_ = make_server_folder();
  if (listening == Listening::on_a_port_too) {
    port_is_taken_ = take_port();
    port_ = std::to_string(local_address(port_is_taken_.get()).value().port());
  }
  url_ = "postgresql://?host=" + folder_ + "&port=" + port_ + "&user=payg&dbname=postgres";
  keep();
}

void PostgresServer::keep() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) give_up("pipe2");
  const UniqueFd read_end(ends[0]);
  keeper_lifeline_.reset(ends[1]);
  constexpr const char* script =
      "read -r nothing; \"$1/pg_ctl\" -D \"$2/data\" -m immediate -w stop; rm -rf \"$2\" || rm -rf \"$2\"";
  keeper_ = start_server_program({"/bin/sh", "-c", script, "keeper", programs().string(), folder_},
                                 read_end.get(), "/dev/null", Lifetime::own);
}

void PostgresServer::initialise(const std::string& settings) {
  run_server_program({programs() / "initdb", "-D", folder_ + "/data", "-U", "payg", "-A", "trust", "-E",
                      "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"},
                     folder_ + "/log");
  // No fsync: what these servers lose in a power cut, nobody misses. A stop in immediate mode loses nothing.
  configure("fsync = off\nfull_page_writes = off\nshared_buffers = 32MB\nmax_connections = 100\n" + settings);
}

void PostgresServer::copy(const PostgresServer& primary) {
  run_server_program({programs() / "pg_basebackup", "-D", folder_ + "/data", "-d", primary.url_, "-R",
                      "--checkpoint=fast", "--no-sync"},
                     folder_ + "/log");
  configure("");
}

void PostgresServer::configure(const std::string& settings) {
  std::ofstream file(folder_ + "/data/postgresql.conf", std::ios::app);
  file << "listen_addresses = '" << (port_is_taken_ ? "127.0.0.1" : "") << "'\nport = " << port_
       << "\nunix_socket_directories = '" << folder_ << "'\n"
       << settings << '\n';
  file.close();
  if (!file) give_up("cannot write " + folder_ + "/data/postgresql.conf");
}

void PostgresServer::start() {
  run_server_program(
      {programs() / "pg_ctl", "-D", folder_ + "/data", "-l", folder_ + "/server.log", "-w", "start"},
      folder_ + "/log");
}

void PostgresServer::stop_immediately() {
  run_server_program({programs() / "pg_ctl", "-D", folder_ + "/data", "-m", "immediate", "-w", "stop"},
                     folder_ + "/log");
}

void PostgresServer::kill() {
  const std::string lock = folder_ + "/data/postmaster.pid";
  pid_t postmaster = 0;
  std::ifstream(lock) >> postmaster;
  if (postmaster <= 0) give_up("it does not run");
  kill_with_children(postmaster);
  // Nobody may have asked for the exit status of the dead yet, and then their number looks like that of a
  // server which still runs.
  fs::remove(lock);
  fs::remove(folder_ + "/.s.PGSQL." + port_ + ".lock");
}

void PostgresServer::promote() {
  run_server_program({programs() / "pg_ctl", "-D", folder_ + "/data", "-w", "promote"}, folder_ + "/log");
}

std::string PostgresServer::run(const std::string& database, const std::string& sql) const {
  return run_sql(with_database(url_, database), sql);
}

const std::string& PostgresServer::shared_url() {
  static const char* const given = std::getenv("PAYG_TEST_POSTGRES");
  if (given != nullptr && *given != '\0') {
    static const std::string url = given;
    return url;
  }
  static const PostgresServer server;
  return server.url();
}

PostgresDatabase::PostgresDatabase(const std::string& server_url) : server_url_(server_url) {
  static std::atomic<int> count{0};
  name_ = "payg_test_" + std::to_string(getpid()) + "_" + std::to_string(++count);
  run_sql(server_url_, "CREATE DATABASE " + name_ + " TEMPLATE template0");
  url_ = with_database(server_url_, name_);
}

PostgresDatabase::~PostgresDatabase() {
  try {
    run_sql(server_url_, "DROP DATABASE " + name_ + " WITH (FORCE)");
  } catch (const std::runtime_error&) {
    // The server may have been stopped by the test; its folder goes anyway.
  }
}

std::string PostgresDatabase::run(const std::string& sql) const {
  return run_sql(url_, sql);
}

int PostgresDatabase::waiting_for_locks() const {
  return std::stoi(
      run("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = "
          "'Lock'"));
}

}  // namespace payg::test
