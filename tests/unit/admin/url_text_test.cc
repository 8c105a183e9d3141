#include "billing/admin/url_text.h"

#include <gtest/gtest.h>

namespace payg::billing {
namespace {

const std::string no_text = "\xef\xbf\xbd";

TEST(UrlText, ASegmentIsDecodedOnce) {
  EXPECT_EQ(decode_segment(""), "");
  EXPECT_EQ(decode_segment("a%20b+c"), "a b+c");
  EXPECT_EQ(decode_segment("%2541"), "%41");
  EXPECT_EQ(decode_segment("%e2%82%AC"), "\xe2\x82\xac");
}

TEST(UrlText, AQueryIsNamesAndValues) {
  EXPECT_EQ(decode_query(""), Query{});
  EXPECT_EQ(decode_query("a=1&b=x+y%2B&&c&=d&e=f=g"),
            (Query{{"", "d"}, {"a", "1"}, {"b", "x y+"}, {"c", ""}, {"e", "f=g"}}));
  EXPECT_EQ(decode_query("a=1&a=2"), (Query{{"a", "1"}}));
}

TEST(UrlText, WhatIsNoTextIsNoValueOfAnything) {
  for (const char* value : {"demo%00x", "%00", "%1b", "%7f", "%c2%9b", "%ff", "%c3", "%zz", "%", "%2"})
    EXPECT_EQ(decode_query("user=" + std::string(value)), (Query{{"user", no_text}})) << value;
  EXPECT_EQ(decode_query("user%00=demo"), (Query{{no_text, "demo"}}));
}

}  // namespace
}  // namespace payg::billing
