#include "tests/support/postgres_server.h"

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <vector>

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

struct Account {
  uid_t user;
  gid_t group;
};

/// Whom PostgreSQL runs as: ourselves, or somebody harmless when we are root.
Account server_account() {
  if (geteuid() != 0) return {geteuid(), getegid()};
  for (const char* name : {"postgres", "nobody"}) {
    if (const passwd* entry = getpwnam(name)) return {entry->pw_uid, entry->pw_gid};
  }
  give_up("neither a user postgres nor a user nobody");
}

/// Starts a program as the server's account. `input` becomes its standard input, `log` takes its output. A
/// session of its own, so that a Ctrl-C in the terminal reaches the test program only.
pid_t spawn(const std::vector<std::string>& command, int input, const fs::path& log) {
  const Account account = server_account();
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const pid_t child = fork();
  if (child < 0) give_up("fork");
  if (child == 0) {
    // Between fork and exec only what is safe in a program with threads.
    setsid();
    const bool root = geteuid() == 0;
    if (root && (setgroups(0, nullptr) != 0 || setgid(account.group) != 0 || setuid(account.user) != 0))
      _exit(126);
    if (chdir("/") != 0) _exit(126);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(output);
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return status;
}

void run_program(const std::vector<std::string>& command, const fs::path& log) {
  const UniqueFd nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (wait_for(spawn(command, nothing.get(), log)) == 0) return;
  std::ifstream said(log);
  give_up(command.front() + " failed: " + std::string(std::istreambuf_iterator<char>(said), {}));
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

std::string percent_encoded(const std::string& text) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return encoded;
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

PostgresServer::PostgresServer() {
  // Right under /tmp: a socket's path has at most 107 characters.
  std::string folder = "/tmp/payg-pg-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) give_up("mkdtemp: " + folder);
  folder_ = folder;
  const Account account = server_account();
  if (chown(folder_.c_str(), account.user, account.group) != 0) give_up("chown " + folder_);
  url_ = "postgresql://?host=" + folder_ + "&user=payg&dbname=postgres";
  keep();
  initialise();
  start();
}

PostgresServer::~PostgresServer() {
  // The keeper stops the server and removes the folder once its standard input has ended.
  keeper_lifeline_.reset();
  if (keeper_ > 0) wait_for(keeper_);
}

void PostgresServer::keep() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) give_up("pipe2");
  const UniqueFd read_end(ends[0]);
  keeper_lifeline_.reset(ends[1]);
  constexpr const char* script =
      "read -r nothing; \"$1/pg_ctl\" -D \"$2/data\" -m immediate -w stop; rm -rf \"$2\" || rm -rf \"$2\"";
  keeper_ =
      spawn({"/bin/sh", "-c", script, "keeper", programs().string(), folder_}, read_end.get(), "/dev/null");
}

void PostgresServer::initialise() {
  const std::string data = folder_ + "/data";
  run_program({programs() / "initdb", "-D", data, "-U", "payg", "-A", "trust", "-E", "UTF8",
               "--locale=C.UTF-8", "--no-sync", "--no-instructions"},
              folder_ + "/log");
  // No fsync: what these servers lose in a power cut, nobody misses. A stop in immediate mode loses nothing.
  std::ofstream settings(data + "/postgresql.conf", std::ios::app);
  settings << "listen_addresses = ''\nunix_socket_directories = '" << folder_
           << "'\nfsync = off\nfull_page_writes = off\nshared_buffers = 32MB\nmax_connections = 100\n";
  settings.close();
  if (!settings) give_up("cannot write " + data + "/postgresql.conf");
}

void PostgresServer::start() {
  run_program({programs() / "pg_ctl", "-D", folder_ + "/data", "-l", folder_ + "/server.log", "-w", "start"},
              folder_ + "/log");
}

void PostgresServer::stop_immediately() {
  run_program({programs() / "pg_ctl", "-D", folder_ + "/data", "-m", "immediate", "-w", "stop"},
              folder_ + "/log");
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
