#include "billing/core/user_name.h"

#include <gtest/gtest.h>

namespace payg::billing {
namespace {

TEST(UserName, ReadsEachPartInAnyOrderAndCase) {
  const struct {
    const char* text;
    UserName expected;
  } cases[] = {
      {"alice", {.user = "alice"}},
      {"ALICE", {.user = "alice"}},
      {"a.b_9", {.user = "a.b_9"}},
      {"alice-session-blue", {.user = "alice", .label = "blue"}},
      {"alice-country-de", {.user = "alice", .country = "de"}},
      {"Alice-Country-DE-State-Hesse-City-Frankfurt_am_Main-ISP-dtag-Session-7",
       {.user = "alice",
        .country = "de",
        .state = "hesse",
        .city = "frankfurt_am_main",
        .isp = "dtag",
        .label = "7"}},
      {"alice-session-blue-isp-x-country-us",
       {.user = "alice", .country = "us", .isp = "x", .label = "blue"}},
      {"session-session-session", {.user = "session", .label = "session"}},
  };
  for (const auto& c : cases) {
    const auto name = parse_user_name(c.text);
    ASSERT_TRUE(name.ok()) << c.text << ": " << describe(name.error());
    EXPECT_EQ(*name, c.expected) << c.text;
  }
}

TEST(UserName, SaysWhatIsWrong) {
  const std::string long_user(65, 'a'), long_value = "a-session-" + std::string(65, 'b');
  const struct {
    std::string text;
    UserNameError expected;
  } cases[] = {
      {"", UserNameError::no_user},
      {"-session-x", UserNameError::no_user},
      {"al ice", UserNameError::bad_user},
      {"al@ice", UserNameError::bad_user},
      {"m\xc3\xbcller", UserNameError::bad_user},
      {std::string("a\0b", 3), UserNameError::bad_user},
      {long_user, UserNameError::user_too_long},
      {"alice-", UserNameError::unknown_key},
      {"alice-colour-blue", UserNameError::unknown_key},
      {"alice--blue", UserNameError::unknown_key},
      {"alice-session-x-", UserNameError::unknown_key},
      {"alice-session", UserNameError::no_value},
      {"alice-session-", UserNameError::no_value},
      {"alice-session--x", UserNameError::no_value},
      {"alice-session-a.b", UserNameError::bad_value},
      {long_value, UserNameError::value_too_long},
      {"alice-session-a-session-b", UserNameError::repeated_key},
      {"alice-country-de-country-de", UserNameError::repeated_key},
      {"alice-country-deu", UserNameError::bad_country},
      {"alice-country-1a", UserNameError::bad_country},
  };
  for (const auto& c : cases) {
    const auto name = parse_user_name(c.text);
    ASSERT_FALSE(name.ok()) << c.text;
    EXPECT_EQ(describe(name.error()), describe(c.expected)) << c.text;
  }
}

TEST(UserName, TheLongestPartsAreRead) {
  const std::string longest(64, 'x');
  const auto name = parse_user_name(longest + "-session-" + longest);
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name->user, longest);
  EXPECT_EQ(name->label, longest);
}

}  // namespace
}  // namespace payg::billing
