// git over https through the proxy.

#include "tests/foreign/foreign_world.h"
#include "tests/support/harness/pattern.h"

namespace payg::test {
namespace {

/// A way to the proxy, and what git says that is refused there.
struct Way {
  const char* kind;  ///< the scheme of the proxy's URL
  Door door;
  const char* unpaid;
  const char* wrong_token;
  const char* no_such_location;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.kind;
}

class Git : public ForeignWorld, public testing::WithParamInterface<Way> {
 protected:
  Git() : ForeignWorld(GetParam().door) {
    const std::string repository = origin_.folder() + "/git/things";
    git({"init", "-q", "--bare", repository});
    git({"-C", repository, "config", "http.receivepack", "true"});
  }

  /// As `account`, in the folder `place` of the test's own.
  ProgramCall call(const Account& account, const std::string& place,
                   std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {git_program, "-C", folder_.path() + "/" + place, "-c",
                                         "user.name=alice", "-c", "user.email=alice@origin.test", "-c",
                                         std::string("http.proxy=") + GetParam().kind + "://" +
                                             credentials(account) + "@" + proxy_address()});
    return ProgramCall{
        .arguments = arguments,
        .environment = {"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
                        "GIT_SSL_CAINFO=" + certificate_.path, "GIT_PROXY_SSL_CAINFO=" + certificate_.path},
        .working_folder = {},
        .open_files = {}};
  }
  Finished git_as(const Account& account, const std::string& place,
                  std::vector<std::string> arguments) const {
    return run(call(account, place, std::move(arguments)));
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

TEST_P(Git, SaysWhatItWasRefusedFor) {
  const std::pair<Account, const char*> all[] = {
      {metered_.user("penniless", ""), GetParam().unpaid},
      {Account{alice_.name, "wrong-token"}, GetParam().wrong_token},
      {Account{alice_.name + "-country-zz", alice_.token}, GetParam().no_such_location}};
  for (const auto& [account, shown] : all) {
    const Finished refused = git_as(account, ".", {"ls-remote", repository_url()});
    EXPECT_EQ(refused.status.code, 128) << told_by(refused);
    EXPECT_NE(refused.errors.find(shown), std::string::npos)
        << "shows no \"" << shown << "\": " << told_by(refused);
  }
  EXPECT_TRUE(origin_.requests().empty());
}

/// A repository whose list of branches has no end.
TEST_P(Git, IsCutWhenTheMoneyIsSpent) {
  const std::string endless = origin_.url(Scheme::https, "/endless", Host::by_name);
  const Finished cut = run_out_of_money(call(alice_, ".", {"clone", "-q", endless, "endless"}), alice_,
                                        [this](const auto&) { return !origin_.requests().empty(); });
  EXPECT_EQ(cut.status.code, 128) << told_by(cut);
  EXPECT_NE(cut.errors.find("Connection reset by peer"), std::string::npos) << told_by(cut);
  EXPECT_EQ(metered_.balance_units(alice_), 0);
}

constexpr Way ways[] = {
    {"http", Door::plain, "CONNECT tunnel failed, response 402", "CONNECT tunnel failed, response 407",
     "CONNECT tunnel failed, response 503"},
    {"https", Door::tls, "CONNECT tunnel failed, response 402", "CONNECT tunnel failed, response 407",
     "CONNECT tunnel failed, response 503"},
    {"socks5h", Door::plain, "Can't complete SOCKS5 connection to origin.test. (2)",
     "User was rejected by the SOCKS5 server", "Can't complete SOCKS5 connection to origin.test. (4)"}};
INSTANTIATE_TEST_SUITE_P(EachWay, Git, testing::ValuesIn(ways),
                         [](const auto& test) { return std::string(test.param.kind); });

}  // namespace
}  // namespace payg::test
