#include "billing/exit_names.h"

#include <gtest/gtest.h>

#include <vector>

namespace payg::test {
namespace {

using namespace billing;

TEST(ExitNamesTest, KeepsEachNameUnderANumberOfItsOwn) {
  constexpr std::size_t many = 70'000;  // more than 16 bits tell apart
  ExitNames names;
  std::vector<ExitNames::Index> numbers;
  for (std::size_t i = 0; i < many; ++i) numbers.push_back(names.index_of("exit-" + std::to_string(i)));
  for (std::size_t i = 0; i < many; ++i) {
    const std::string name = "exit-" + std::to_string(i);
    ASSERT_EQ(names.name_of(numbers[i]), name);
    ASSERT_EQ(names.index_of(name), numbers[i]);
  }
  EXPECT_EQ(names.name_of(many), "");
}

}  // namespace
}  // namespace payg::test
