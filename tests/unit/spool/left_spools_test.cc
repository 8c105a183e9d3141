#include "billing/spool/left_spools.h"

#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "billing/spool/spool.h"
#include "billing/spool/spool_line.h"
#include "plugin/base/unique_fd.h"
#include "tests/support/harness/temp_folder.h"
#include "tests/unit/spool/spool_charges.h"

namespace payg::test {
namespace {

using namespace billing;

class LeftSpools : public testing::Test {
 protected:
  std::string path_of(const std::string& name) const { return folder.path() + "/" + name; }
  std::unique_ptr<Spool> open(const std::string& node) const {
    return Spool::open(path_of(node + ".spool"), node).value();
  }
  /// By a node that is gone then.
  void leave(const std::string& node, const std::vector<ChargeRequest>& charges) const {
    EXPECT_TRUE(open(node)->add(charges).ok());
  }
  std::vector<LeftSpool> found() const { return left_spools(path_of("node-1.spool")); }

  TempFolder folder;
};

TEST_F(LeftSpools, WithChargesThatNobodyPaysAreFound) {
  leave("old", {owed_minute(1, 1), owed_minute(1, 2)});
  leave("node-1", {owed_minute(1, 1)});
  ASSERT_EQ(found().size(), 1U) << "this node's own is none of them";
  EXPECT_EQ(found()[0].path, path_of("old.spool"));
  EXPECT_EQ(found()[0].node, "old");
  EXPECT_EQ(found()[0].charges, 2U);
  EXPECT_EQ(found()[0].price, Credits::from_units(96'000));
}

TEST_F(LeftSpools, ThatAProcessHasAreNotFound) {
  const auto spool = open("node-2");
  EXPECT_TRUE(spool->add(std::vector{owed_minute(1, 1)}).ok());
  EXPECT_TRUE(found().empty());
}

/// Whether anybody has opened a file since this was made.
class OpenWatch {
 public:
  explicit OpenWatch(const std::string& path) {
    EXPECT_GE(inotify_add_watch(events_.get(), path.c_str(), IN_OPEN), 0);
  }
  bool was_opened() const {
    std::array<char, 4096> event{};
    return ::read(events_.get(), event.data(), event.size()) > 0;
  }

 private:
  UniqueFd events_{inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
};

TEST_F(LeftSpools, ThatAProcessHasAreNotReadHoweverLargeTheyMayBe) {
  leave("old", {owed_minute(1, 1)});
  const OpenWatch old(path_of("old.spool"));
  const auto spool = open("node-2");
  EXPECT_TRUE(spool->add(std::vector{owed_minute(1, 1)}).ok());
  const OpenWatch living(path_of("node-2.spool"));
  EXPECT_EQ(found().size(), 1U);
  EXPECT_TRUE(old.was_opened());
  EXPECT_FALSE(living.was_opened());
}

TEST_F(LeftSpools, OfWhichAllIsSettledAreNotFound) {
  {
    const auto spool = open("old");
    EXPECT_TRUE(spool->add(std::vector{owed_minute(1, 1), owed_minute(2, 1)}).ok());
    spool->settle(std::vector<ChargeKey>{{UserId{101}, SessionId{1}, 1}});
    EXPECT_TRUE(found().empty()) << "somebody has it";
    spool->settle(std::vector<ChargeKey>{{UserId{102}, SessionId{2}, 1}});
  }
  EXPECT_TRUE(found().empty());
}

TEST_F(LeftSpools, CountWhatIsNotSettledOfThem) {
  {
    const auto spool = open("old");
    EXPECT_TRUE(spool->add(std::vector{owed_minute(1, 1), owed_minute(2, 1)}).ok());
    spool->settle(std::vector<ChargeKey>{{UserId{101}, SessionId{1}, 1}});
  }
  std::ofstream(path_of("old.spool"), std::ios::app) << "torn";
  ASSERT_EQ(found().size(), 1U);
  EXPECT_EQ(found()[0].charges, 1U);
}

TEST_F(LeftSpools, AreNothingElseThatLiesThere) {
  std::ofstream(path_of("letter.spool")) << "Dear operator,\n";
  std::ofstream(path_of("empty.spool"));
  std::ofstream(path_of("long.spool"))
      << spool_header(std::string(5'000, 'n')) << spool_line(owed_minute(1, 1));
  std::filesystem::create_directory(path_of("folder.spool"));
  leave("old", {owed_minute(1, 1)});
  std::filesystem::rename(path_of("old.spool"), path_of("old.spool.damaged"));
  EXPECT_TRUE(found().empty());
  EXPECT_TRUE(left_spools(folder.path() + "/nowhere/node-1.spool").empty());
}

}  // namespace
}  // namespace payg::test
