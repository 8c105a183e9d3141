#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fstream>

#include "billing/admin/unix_listener.h"
#include "tests/unit/admin/admin_port.h"

namespace payg::test {
namespace {

using billing::UnixListener;

class UnixSocket : public ::testing::Test {
 protected:
  static std::string mistake(const std::string& path) {
    const auto listener = UnixListener::open(path);
    return listener.ok() ? "" : listener.error();
  }
  /// What a process that was killed leaves behind.
  void leave_stale_socket() const {
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(socket.get(), 1), 0);
  }

  TemporaryFolder folder;
  const std::string path = (folder.path() / "admin.sock").string();
};

TEST_F(UnixSocket, IsForItsOwnerAndHisGroupWhateverTheUmask) {
  const mode_t before = ::umask(0077);
  const auto listener = UnixListener::open(path);
  ::umask(before);
  ASSERT_TRUE(listener.ok()) << listener.error();
  struct stat file {};
  ASSERT_EQ(::lstat(path.c_str(), &file), 0);
  EXPECT_TRUE(S_ISSOCK(file.st_mode));
  EXPECT_EQ(file.st_mode & 0777, 0660U);
}

TEST_F(UnixSocket, IsRemovedWithItsListener) {
  { const auto listener = UnixListener::open(path); }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(UnixSocket, ThatSomebodyElseHasPutThereIsLeftAlone) {
  {
    const auto listener = UnixListener::open(path);
    std::filesystem::remove(path);
    leave_stale_socket();
  }
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(UnixSocket, OfAProcessThatIsGoneIsReplaced) {
  leave_stale_socket();
  EXPECT_EQ(mistake(path), "");
}

TEST_F(UnixSocket, ThatIsInUseIsAnErrorThatSaysSo) {
  const auto listener = UnixListener::open(path);
  ASSERT_TRUE(listener.ok());
  EXPECT_EQ(mistake(path), path + ": another process listens there");
  EXPECT_TRUE(std::filesystem::exists(path)) << "and it is left to who has it";
}

TEST_F(UnixSocket, IsNotMadeOverAFileOfAnotherKind) {
  std::ofstream(path) << "something";
  EXPECT_EQ(mistake(path), path + ": there is a file that is no socket; remove it, or name another");
  EXPECT_EQ(std::filesystem::file_size(path), 9U);
}

TEST_F(UnixSocket, ThatCannotBeMadeIsAnErrorWithItsName) {
  const std::string nowhere = (folder.path() / "no" / "such" / "folder.sock").string();
  EXPECT_EQ(mistake(nowhere), nowhere + ": the socket cannot be made: No such file or directory");
  EXPECT_NE(mistake(std::string(200, 'a')), "");
}

class SocketPort : public AdminPort {
 protected:
  void configure(config::BillingConfig& config) override { config.admin.socket = path(); }
  std::string path() const { return (folder.path() / "admin.sock").string(); }
  Answer ask_socket(const std::string& target, const std::string& token) {
    return ask({.path = target, .headers = {bearer(token)}, .socket = path()});
  }
};

TEST_F(SocketPort, AnswersAsThePortDoesAndBesideIt) {
  give(add_user("alice"), "10");
  EXPECT_EQ(ask_socket("/api/credits/balance", "alice-token").body,
            get("/api/credits/balance", "alice-token").body);
  EXPECT_EQ(ask_socket("/api/admin/users", operator_token).status, 200);
  EXPECT_EQ(ask_socket("/api/credits/balance", "guess").status, 401);
  EXPECT_EQ(host.protected_addresses().size(), 1U) << "no proxy connects to a file";
}

TEST_F(SocketPort, IsGoneWhenTheServerStops) {
  EXPECT_TRUE(std::filesystem::exists(path()));
  server->stop();
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(SocketPort, IsNotTakenFromAServerThatRuns) {
  config::BillingConfig config = usual_config();
  config.admin.socket = path();
  {
    billing::AdminServer second(dependencies(config));
    const auto bound = second.start();
    ASSERT_FALSE(bound.ok());
    EXPECT_EQ(bound.error().key, "socket");
    EXPECT_EQ(bound.error().what, path() + ": another process listens there");
  }
  EXPECT_EQ(ask_socket("/healthz", "").status, 200);
}

}  // namespace
}  // namespace payg::test
