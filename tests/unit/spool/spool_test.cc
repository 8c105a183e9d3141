#include "billing/spool/spool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "billing/spool/spool_line.h"
#include "tests/support/harness/temp_folder.h"
#include "tests/unit/spool/spool_charges.h"

namespace payg::test {
namespace {

using namespace billing;

class SpoolTest : public testing::Test {
 protected:
  std::unique_ptr<Spool> open(std::string_view node = "node-1") {
    auto spool = Spool::open(path, node);
    EXPECT_TRUE(spool.ok()) << spool.error();
    return *std::move(spool);
  }
  std::string why_not(std::string_view node = "node-1") {
    const auto spool = Spool::open(path, node);
    return spool.ok() ? "" : spool.error();
  }
  /// session.number of each charge that is in it.
  static std::string content(const Spool& spool) {
    std::string text;
    for (const ChargeRequest& charge : spool.charges())
      text += std::to_string(charge.session.value) + '.' + std::to_string(charge.number) + ' ';
    return text;
  }
  static void add(Spool& spool, std::vector<ChargeRequest> charges) {
    const auto added = spool.add(charges);
    EXPECT_TRUE(added.ok()) << added.error();
  }
  static ChargeKey key(std::uint64_t session, std::uint32_t number) {
    return {UserId{100 + session}, SessionId{session}, number};
  }
  void append_to_file(std::string_view bytes) {
    std::ofstream(path, std::ios::app | std::ios::binary) << bytes;
  }
  std::uintmax_t file_size() const { return std::filesystem::file_size(path); }

  TempFolder folder;
  const std::string path = folder.path() + "/deeper/node-1.spool";
};

TEST_F(SpoolTest, WhatWasAddedIsThereAfterwardsInTheOrderOfTheNumbers) {
  {
    const auto spool = open();
    add(*spool, {owed_minute(2, 1)});
    add(*spool, {owed_minute(1, 7), owed_minute(1, 8), owed_minute(2, 2)});
  }
  const auto spool = open();
  EXPECT_EQ(content(*spool), "1.7 1.8 2.1 2.2 ");
  const ChargeRequest first = spool->charges()[2], written = owed_minute(2, 1);
  EXPECT_EQ(first.user, written.user);
  EXPECT_EQ(first.price, written.price);
  EXPECT_EQ(first.increment, written.increment);
  EXPECT_EQ(first.rate, written.rate);
  EXPECT_EQ(first.from, written.from);
  EXPECT_EQ(first.label, written.label);
  EXPECT_EQ(first.exit, written.exit);
}

TEST_F(SpoolTest, WhatIsSettledIsGoneAndAnEmptyOneTakesNoRoom) {
  auto spool = open();
  const auto empty = file_size();
  add(*spool, {owed_minute(1, 1), owed_minute(1, 2)});
  spool->settle(std::vector{key(1, 1)});
  EXPECT_EQ(content(*spool), "1.2 ");
  spool->settle(std::vector{key(1, 2), key(9, 9)});
  EXPECT_EQ(spool->size(), 0U);
  EXPECT_EQ(file_size(), empty);
  add(*spool, {owed_minute(3, 1)});
  spool.reset();
  EXPECT_EQ(content(*open()), "3.1 ");
}

TEST_F(SpoolTest, WhatIsSettledStaysSettledWhileOthersWait) {
  {
    const auto spool = open();
    add(*spool, {owed_minute(1, 1), owed_minute(1, 2), owed_minute(2, 1)});
    spool->settle(std::vector{key(1, 1), key(2, 1)});
  }
  EXPECT_EQ(content(*open()), "1.2 ");
  EXPECT_EQ(open()->unreadable_lines(), 0U);
}

TEST_F(SpoolTest, OneChargeThatWaitsDoesNotKeepAllThatCameAfterIt) {
  const auto spool = open();
  add(*spool, {owed_minute(1, 1)});
  for (std::uint32_t number = 1; number <= 20'000; number += 100) {
    std::vector<ChargeRequest> charges;
    std::vector<ChargeKey> keys;
    for (std::uint32_t i = number; i < number + 100; ++i) {
      charges.push_back(owed_minute(2, i));
      keys.push_back(key(2, i));
    }
    add(*spool, charges);
    spool->settle(keys);
  }
  EXPECT_EQ(content(*spool), "1.1 ");
  EXPECT_LT(file_size(), 1'100'000U) << "20,000 lines are more than three times as long";
}

TEST_F(SpoolTest, TheSameChargeAgainTakesThePlaceOfTheFirst) {
  ChargeRequest later = owed_minute(1, 2);
  later.from += std::chrono::seconds(5);
  {
    const auto spool = open();
    add(*spool, {owed_minute(1, 2)});
    add(*spool, {later});
  }
  const auto spool = open();
  ASSERT_EQ(spool->size(), 1U);
  EXPECT_EQ(spool->charges()[0].from, later.from);
}

TEST_F(SpoolTest, AWriteThatACrashHasTornCostsOnlyItself) {
  add(*open(), {owed_minute(1, 1)});
  const std::string line = spool_line(owed_minute(1, 2));
  for (std::size_t length = 1; length < line.size() - 1; ++length) {
    append_to_file(line.substr(0, length));
    const auto spool = open();
    EXPECT_EQ(content(*spool), "1.1 ");
    EXPECT_EQ(spool->unreadable_lines(), 1U);
  }
  append_to_file(line.substr(0, 10));
  add(*open(), {owed_minute(1, 3)});
  const auto spool = open();
  EXPECT_EQ(content(*spool), "1.1 1.3 ");
  EXPECT_EQ(spool->unreadable_lines(), 0U);
}

TEST_F(SpoolTest, NothingIsGluedToALineWithoutItsBreak) {
  add(*open(), {owed_minute(1, 1)});
  std::string line = spool_line(owed_minute(1, 2));
  line.pop_back();
  append_to_file(line);
  {
    const auto spool = open();
    EXPECT_EQ(content(*spool), "1.1 1.2 ");
    add(*spool, {owed_minute(2, 1)});
  }
  const auto spool = open();
  EXPECT_EQ(content(*spool), "1.1 1.2 2.1 ");
  EXPECT_EQ(spool->unreadable_lines(), 0U);
}

TEST_F(SpoolTest, ADamagedLineCostsOnlyItself) {
  add(*open(), {owed_minute(1, 1), owed_minute(1, 2), owed_minute(1, 3)});
  std::string text = read_file(path);
  const auto second = text.find(R"("number":2)");
  text[second + 9] = '5';
  std::ofstream(path, std::ios::binary) << text;
  const auto spool = open();
  EXPECT_EQ(content(*spool), "1.1 1.3 ");
  EXPECT_EQ(spool->unreadable_lines(), 1U);
  EXPECT_EQ(read_file(path + ".damaged"), text);
}

TEST_F(SpoolTest, ASecondProcessIsKeptOut) {
  const auto spool = open();
  EXPECT_EQ(why_not(), path + ": another process of this node has it");
}

TEST_F(SpoolTest, OfAnotherNodeIsRefused) {
  (void)open("node-2");
  EXPECT_EQ(why_not("node-1"), path + ": belongs to node node-2");
}

TEST_F(SpoolTest, AnotherFileIsLeftAlone) {
  std::filesystem::create_directories(folder.path() + "/deeper");
  std::ofstream(path) << "my diary\n";
  EXPECT_EQ(why_not(), path + ": this is no spool of payg-proxy; move it away or name another file");
  EXPECT_EQ(read_file(path), "my diary\n");
}

TEST_F(SpoolTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(folder.path() + "/deeper") << "a file";
  EXPECT_EQ(why_not(), path + ": open its lock: Not a directory");
}

/// No file may grow beyond a size, as on a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(SpoolTest, OnAFullDiskNothingIsKeptThatWasNotAndNothingLostThatWas) {
  auto spool = open();
  add(*spool, {owed_minute(1, 1)});
  {
    const FullDisk full(file_size() + 100);
    const auto added = spool->add(std::vector{owed_minute(1, 2), owed_minute(1, 3)});
    ASSERT_FALSE(added.ok());
    EXPECT_EQ(added.error(), path + ": write: File too large");
    EXPECT_FALSE(spool->add(std::vector{owed_minute(1, 2), owed_minute(1, 3)}).ok());
    EXPECT_EQ(content(*spool), "1.1 ");
  }
  add(*spool, {owed_minute(1, 4)});
  spool.reset();
  EXPECT_EQ(content(*open()), "1.1 1.4 ");
}

TEST_F(SpoolTest, AFullDiskKeepsNobodyFromOpeningIt) {
  add(*open(), {owed_minute(1, 1)});
  append_to_file("torn");
  {
    const FullDisk full(10);
    const auto spool = open();
    EXPECT_EQ(content(*spool), "1.1 ");
    EXPECT_FALSE(spool->add(std::vector{owed_minute(1, 2)}).ok());
  }
  add(*open(), {owed_minute(1, 3)});
  EXPECT_EQ(content(*open()), "1.1 1.3 ");
}

TEST_F(SpoolTest, WhatIsSettledWhileTheDiskIsFullStaysSettled) {
  auto spool = open();
  add(*spool, {owed_minute(1, 1), owed_minute(2, 1)});
  {
    const FullDisk full(file_size() + 100);
    EXPECT_FALSE(spool->add(std::vector{owed_minute(1, 2)}).ok());
    spool->settle(std::vector{key(1, 1)});
  }
  add(*spool, {owed_minute(3, 1)});
  spool.reset();
  EXPECT_EQ(content(*open()), "2.1 3.1 ");
}

}  // namespace
}  // namespace payg::test
