// git over https through the proxy.

#include "tests/foreign/foreign_world.h"
#include "tests/support/harness/pattern.h"

namespace payg::test {
namespace {

class Git : public ForeignWorld, public testing::WithParamInterface<const char*> {
 protected:
  Git() {
    const std::string repository = origin_.folder() + "/git/things";
    git({"init", "-q", "--bare", repository});
    git({"-C", repository, "config", "http.receivepack", "true"});
  }

  /// As `account`, in the folder `place` of the test's own. The output of what went well.
  Finished git_as(const Account& account, const std::string& place,
                  std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {git_program, "-C", folder_.path() + "/" + place, "-c",
                                         "user.name=alice", "-c", "user.email=alice@origin.test", "-c",
                                         std::string("http.proxy=") + GetParam() + "://" +
                                             credentials(account) + "@" + proxy_address()});
    return run(ProgramCall{.arguments = arguments,
                           .environment = {"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
                                           "GIT_SSL_CAINFO=" + certificate_.path},
                           .working_folder = {},
                           .open_files = {}});
  }
  void git(std::vector<std::string> arguments, const std::string& place = ".") const {
    const Finished finished = git_as(alice_, place, arguments);
    if (finished.status.code != 0) throw HarnessError("git " + arguments.front() + ": " + told_by(finished));
  }

  std::string repository_url() const {
    return origin_.url(ForeignOrigin::Scheme::https, "/git/things", ForeignOrigin::Host::by_name);
  }
};

TEST_P(Git, PushesAndClones) {
  const std::string content = Pattern::bytes(0, 3'000'017);
  git({"clone", "-q", repository_url(), "mine"});
  folder_.write("mine/thing", content);
  git({"add", "thing"}, "mine");
  git({"commit", "-q", "-m", "a thing"}, "mine");
  git({"push", "-q", "origin", "HEAD"}, "mine");
  git({"clone", "-q", repository_url(), "yours"});
  EXPECT_TRUE(read_file(folder_.path() + "/yours/thing") == content);
}

TEST_P(Git, SaysThatItWasRefusedForMoney) {
  const Finished refused = git_as(metered_.user("penniless", ""), ".", {"ls-remote", repository_url()});
  EXPECT_EQ(refused.status.code, 128) << told_by(refused);
  const char* shown = std::string_view(GetParam()) == "http" ? "response 402" : "(2)";
  EXPECT_NE(refused.errors.find(shown), std::string::npos) << told_by(refused);
  EXPECT_TRUE(origin_.requests().empty());
}

INSTANTIATE_TEST_SUITE_P(EachWay, Git, testing::Values("http", "socks5h"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace payg::test
