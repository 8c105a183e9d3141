#include "billing/admin/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "billing/admin/csv.h"

namespace payg::billing {
namespace {

using std::chrono::milliseconds;

TEST(JsonText, ShowsMoneyRoundedDownWithoutTrailingZeros) {
  EXPECT_EQ(money_text(Credits::from_units(0)), "0");
  EXPECT_EQ(money_text(Credits::from_units(36'000'000)), "10");
  EXPECT_EQ(money_text(Credits::from_units(35'999'999)), "9.99");
  EXPECT_EQ(money_text(Credits::from_units(2'880'000)), "0.8");
  EXPECT_EQ(money_text(Credits::from_units(35'999)), "0");
  EXPECT_EQ(money_text(Credits::from_units(36'000)), "0.01");
  EXPECT_EQ(money_text(Credits::from_units(-48'000)), "-0.02");
  EXPECT_EQ(money_text(Credits::from_units(INT64_MAX)), "2562047788015.21");
}

TEST(JsonText, ShowsARateExactly) {
  EXPECT_EQ(rate_text(Rate::from_thousandths(800)), "0.8");
  EXPECT_EQ(rate_text(Rate::from_thousandths(1)), "0.001");
  EXPECT_EQ(rate_text(Rate::from_thousandths(1125)), "1.125");
  EXPECT_EQ(rate_text(Rate::from_thousandths(1'000'000'000)), "1000000");
}

TEST(JsonText, ShowsLengthsOfTimeRoundedDown) {
  EXPECT_EQ(hours_text(milliseconds(0)), "0");
  EXPECT_EQ(hours_text(std::chrono::hours(12) + std::chrono::minutes(30)), "12.5");
  EXPECT_EQ(hours_text(std::chrono::minutes(59)), "0.98");
  EXPECT_EQ(hours_text(milliseconds(179'999)), "0.04");
  EXPECT_EQ(minutes_text(milliseconds(119'999)), "1.99");
}

TEST(JsonText, ShowsTimeAsRfc3339) {
  EXPECT_EQ(time_text(WallTime(milliseconds(0))), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(time_text(WallTime(milliseconds(1'795'440'079'123))), "2026-11-23T13:21:19.123Z");
}

TEST(JsonText, ReadsTimeAsRfc3339InUtc) {
  EXPECT_EQ(parse_time("1970-01-02"), WallTime(std::chrono::hours(24)));
  EXPECT_EQ(parse_time("1970-01-01T00:00:01Z"), WallTime(milliseconds(1000)));
  EXPECT_EQ(parse_time("1970-01-01t00:00:01.999z"), WallTime(milliseconds(1000)));
  for (const char* bad : {"", "1970", "1970-1-1", "1970-13-01", "1970-02-29", "1970-01-01 00:00:01Z",
                          "1970-01-01T00:00:01", "1970-01-01T24:00:00Z", "1970-01-01T00:00:60Z",
                          "1970-01-01T00:00:01+01:00", "1970-01-01T00:00:01.Z", "1970-01-01Z", "19x0-01-01"})
    EXPECT_EQ(parse_time(bad), std::nullopt) << bad;
}

TEST(JsonText, WritesWhatEveryReaderReads) {
  JsonWriter json;
  json.begin_object()
      .text("quote\"", "line\n\\ \x01 \xc3\xa9")
      .text("broken", "\xff")
      .begin_array("list")
      .begin_object()
      .end_object()
      .begin_object()
      .number("n", -5)
      .end_object()
      .text("x")
      .end_array()
      .begin_object("inner")
      .null("nothing")
      .truth("yes", true)
      .end_object()
      .end_object();
  const auto read = nlohmann::json::parse(std::move(json).take());
  EXPECT_EQ(read.at("quote\""), "line\n\\ \x01 \xc3\xa9");
  EXPECT_EQ(read.at("broken"), "\xef\xbf\xbd");
  EXPECT_EQ(read.at("list").size(), 3U);
  EXPECT_EQ(read.at("list")[1].at("n"), -5);
  EXPECT_TRUE(read.at("inner").at("nothing").is_null());
}

TEST(JsonText, ReadsNumbersByTheirDigits) {
  const auto object = read_json_object(R"({"a":0.1,"b":10,"c":-3,"d":1E400000000,"e":"5"})");
  ASSERT_FALSE(object.ok());  // no number of JSON readers is that large
  const auto read = read_json_object(R"({"a":0.10000000000000000000001,"b":10,"c":-3,"d":1E5,"e":"5"})");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->at("a").text, "0.10000000000000000000001");
  EXPECT_EQ(read->at("b").text, "10");
  EXPECT_EQ(read->at("c").text, "-3");
  EXPECT_EQ(read->at("d").text, "1E5");
  EXPECT_EQ(read->at("e").kind, JsonValue::Kind::string);
}

TEST(JsonText, KeepsOnlyTheMembersOfTheOutermostObject) {
  const auto read = read_json_object(R"({"a":{"b":1,"b":2},"c":[[{"d":3}]],"e":4})");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->size(), 3U);
  EXPECT_EQ(read->at("a").kind, JsonValue::Kind::nested);
  EXPECT_EQ(read->at("c").kind, JsonValue::Kind::nested);
  EXPECT_EQ(read->at("e").text, "4");
}

TEST(Csv, IsPreferredOnlyByThoseWhoNameIt) {
  for (const char* yes : {"text/csv", "TEXT/CSV", "text/csv;q=0.5, */*", "application/json;q=0.5, text/csv",
                          "text/csv; header=present; q=0.9, application/json;q=0.9", "*/*, text/csv"})
    EXPECT_TRUE(prefers_csv(yes)) << yes;
  for (const char* malformed : {"text/csv;q=0abc", "text/csv;q=0.00x", "text/csv;q=00", "text/csv;q=0.0000"})
    EXPECT_TRUE(prefers_csv(malformed)) << malformed << " has no weight, and counts as 1";
  for (const char* no : {"", "*/*", "text/*", "application/json", "text/csv;q=0", "text/csv;q=0.",
                         "text/csv;q=0.000", "text/csv;q=0.5, application/json", "text/csvx"})
    EXPECT_FALSE(prefers_csv(no)) << no;
}

}  // namespace
}  // namespace payg::billing
