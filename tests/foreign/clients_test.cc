// Programs that were not written for this proxy, each in each of its ways: what they fetch comes whole, and
// what they are refused or cut for they show to their people, as they show such things.

#include <algorithm>

#include "tests/foreign/foreign_world.h"
#include "tests/support/harness/pattern.h"

namespace payg::test {
namespace {

constexpr std::size_t odd_megabyte = 1'048'583;

std::vector<Client> every_client() {
  std::vector<Client> all;
  for (const auto& some : {curl_clients(), tool_clients(), python_clients(), node_clients()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

class Clients : public ForeignWorld, public testing::WithParamInterface<Client> {
 protected:
  Clients() : ForeignWorld(GetParam().door) {}

  ProgramCall call(const Account& account, const std::string& path) const {
    const Client& client = GetParam();
    return client.call(errand(account, origin_.url(client.scheme, path, client.host)));
  }

  /// Fetches in vain: the program fails, shows this, and nothing reaches the origin.
  void expect_refused(const Account& account, const char* shown) const {
    const Finished finished = run(call(account, "/files/something"));
    EXPECT_NE((finished.output + finished.errors).find(shown), std::string::npos)
        << "shows no \"" << shown << "\": " << told_by(finished);
    EXPECT_TRUE(origin_.requests().empty()) << told_by(finished);
  }
};

TEST_P(Clients, GetWhatTheyAskForWhole) {
  origin_.put("something", Pattern::bytes(0, odd_megabyte));
  const Finished finished = run(call(alice_, "/files/something"));
  ASSERT_EQ(finished.status.code, 0) << told_by(finished);
  EXPECT_TRUE(fetched() == Pattern::bytes(0, odd_megabyte))
      << fetched().size() << " bytes: " << told_by(finished);
}

TEST_P(Clients, ShowWhatTheyAreRefusedFor) {
  expect_refused(metered_.user("penniless", ""), GetParam().unpaid);
  expect_refused(Account{alice_.name, "wrong-token"}, GetParam().wrong_token);
  expect_refused(Account{alice_.name + "-country-zz", alice_.token}, GetParam().no_such_location);
}

TEST_P(Clients, AreCutWhenTheMoneyIsSpent) {
  const Finished finished = run_out_of_money(call(alice_, "/endless"), alice_,
                                             [this](const auto&) { return has_begun_to_fetch(); });
  EXPECT_NE(finished.status, ExitStatus({.code = 0, .signal = 0})) << told_by(finished);
  EXPECT_NE((finished.output + finished.errors).find(GetParam().cut), std::string::npos)
      << "shows no \"" << GetParam().cut << "\": " << told_by(finished) << metered_.proxy().process().output()
      << metered_.proxy().log();
  EXPECT_TRUE(eventually([&] { return metered_.live_sessions(alice_) == 0; }));
  EXPECT_EQ(metered_.balance_units(alice_), 0);
}

INSTANTIATE_TEST_SUITE_P(EachWay, Clients, testing::ValuesIn(every_client()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace payg::test
