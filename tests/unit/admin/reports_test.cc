#include "tests/unit/admin/admin_port.h"

namespace payg::test {
namespace {

class Reports : public AdminPort {
 protected:
  void SetUp() override {
    AdminPort::SetUp();
    alice = add_user("alice");
  }
  nlohmann::json page(const std::string& query) {
    return get("/api/credits/transactions" + query, "alice-token").json();
  }
  void give_with_note(const std::string& reference, const std::string& note) {
    ASSERT_TRUE(ledger
                    ->adjust(alice.id, billing::Credits::parse("1").value(), reference, note,
                             host.standing_clock.wall_now())
                    .ok());
  }

  billing::User alice;
};

TEST_F(Reports, TransactionsAreNewestFirstWithAmountsAndUnits) {
  give(alice, "10");
  give(alice, "-2.50");
  const auto shown = page("");
  EXPECT_TRUE(shown.at("next_cursor").is_null());
  const auto& rows = shown.at("transactions");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("type"), "adjustment");
  EXPECT_EQ(rows[0].at("amount"), -2.5);
  EXPECT_EQ(rows[0].at("amount_units"), -9'000'000);
  EXPECT_EQ(rows[0].at("created_at"), "2026-11-22T13:00:00.000Z");
  EXPECT_EQ(rows[1].at("amount"), 10);
  EXPECT_TRUE(rows[1].at("reference").is_string());
  EXPECT_GT(rows[0].at("id"), rows[1].at("id"));
}

TEST_F(Reports, ACursorWalksThroughEveryTransactionOnce) {
  for (int i = 0; i < 7; ++i) give(alice, "1");
  std::vector<std::int64_t> seen;
  std::string query = "?limit=3";
  for (int pages = 1;; ++pages) {
    const auto shown = page(query);
    for (const auto& row : shown.at("transactions")) seen.push_back(row.at("id"));
    if (shown.at("next_cursor").is_null()) {
      EXPECT_EQ(pages, 3);
      break;
    }
    query = "?limit=3&cursor=" + shown.at("next_cursor").get<std::string>();
  }
  EXPECT_EQ(seen.size(), 7U);
  EXPECT_TRUE(std::is_sorted(seen.rbegin(), seen.rend()));
}

TEST_F(Reports, APageThatIsExactlyFullIsTheLastOne) {
  for (int i = 0; i < 3; ++i) give(alice, "1");
  EXPECT_TRUE(page("?limit=3").at("next_cursor").is_null());
}

TEST_F(Reports, LimitsAndCursorsOutOfBoundsAreRefused) {
  for (const char* query :
       {"?limit=0", "?limit=501", "?limit=-1", "?limit=ten", "?limit=", "?limit=1e2", "?cursor=0",
        "?cursor=x", "?cursor=99999999999999999999", "?limit=10%3B", "?limit=10%00", "?cursor=1%ff"}) {
    const Answer answer = get(std::string("/api/credits/transactions") + query, "alice-token");
    EXPECT_EQ(answer.status, 422) << query;
    EXPECT_EQ(answer.code(), "invalid_value") << query;
  }
  EXPECT_EQ(get("/api/credits/transactions?limit=500", "alice-token").status, 200);
}

TEST_F(Reports, TransactionsAreCsvForThoseWhoAcceptIt) {
  give_with_note("ref-1", "a \"quoted\", and\nbroken note");
  const Answer answer =
      ask({.path = "/api/credits/transactions", .headers = {bearer("alice-token"), "Accept: text/csv"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.headers.at("content-type").starts_with("text/csv"));
  EXPECT_EQ(
      answer.body,
      "id,type,amount,amount_units,reference,note,created_at\r\n"
      "1,adjustment,1,3600000,ref-1,\"a \"\"quoted\"\", and\nbroken note\",2026-11-22T13:00:00.000Z\r\n");
}

TEST_F(Reports, CsvSaysWhereTheNextPageIs) {
  for (int i = 0; i < 3; ++i) give(alice, "1");
  const Answer answer = ask(
      {.path = "/api/credits/transactions?limit=2", .headers = {bearer("alice-token"), "Accept: text/csv"}});
  EXPECT_EQ(answer.headers.at("link"), "</api/credits/transactions?cursor=2&limit=2>; rel=\"next\"");
}

TEST_F(Reports, ALinkNamesItsFormatAndIsSavedAsAFile) {
  give(alice, "1");
  const Answer csv = get("/api/credits/transactions?format=csv", "alice-token");
  EXPECT_TRUE(csv.headers.at("content-type").starts_with("text/csv"));
  EXPECT_EQ(csv.headers.at("content-disposition"), "attachment; filename=\"credits.csv\"");
  EXPECT_EQ(get("/api/credits/transactions?format=csv&limit=5000", "alice-token").status, 200);
  EXPECT_EQ(get("/api/credits/transactions?format=csv&limit=5001", "alice-token").code(), "invalid_value");
  const Answer json = ask({.path = "/api/credits/transactions?format=json",
                           .headers = {bearer("alice-token"), "Accept: text/csv"}});
  EXPECT_EQ(json.json().at("transactions").size(), 1U);
}

TEST_F(Reports, TransactionsAreFilteredAlsoOnTheNextPage) {
  for (int i = 0; i < 3; ++i) give(alice, "1");
  EXPECT_EQ(page("?type=adjustment,usage&since=2026-11-22&until=2026-11-23").at("transactions").size(), 3U);
  EXPECT_TRUE(page("?type=usage").at("transactions").empty());
  EXPECT_TRUE(page("?until=2026-11-22").at("transactions").empty());
  EXPECT_TRUE(page("?since=2026-11-23").at("transactions").empty());
  const Answer answer =
      get("/api/credits/transactions?limit=2&type=adjustment&since=2026-11-22", "alice-token");
  EXPECT_EQ(answer.headers.at("link"),
            "</api/credits/transactions?cursor=2&limit=2&type=adjustment&since=2026-11-22>; rel=\"next\"");
}

TEST_F(Reports, FiltersThatNobodyKnowsAreRefused) {
  for (const char* query : {"?type=gift", "?type=usage,,bonus", "?type=usage%2Cgift", "?since=yesterday",
                            "?until=2026-02-30", "?format=xml", "?type=%00"}) {
    const Answer answer = get(std::string("/api/credits/transactions") + query, "alice-token");
    EXPECT_EQ(answer.status, 422) << query;
    EXPECT_EQ(answer.code(), "invalid_value") << query;
  }
}

TEST_F(Reports, AnotherUsersTransactionsAreNotShown) {
  const auto bob = add_user("bob");
  give(bob, "5");
  EXPECT_TRUE(page("").at("transactions").empty());
}

TEST_F(Reports, UsageIsMinutesAndCreditsByBucket) {
  give(alice, "10");
  start_session(alice, 7, "");
  for (const char* bucket : {"hour", "day"}) {
    const auto usage = get(std::string("/api/credits/usage?bucket=") + bucket, "alice-token").json();
    EXPECT_EQ(usage.at("bucket"), bucket);
    ASSERT_EQ(usage.at("usage").size(), 1U) << bucket;
    EXPECT_EQ(usage.at("usage")[0].at("minutes"), 1);
    EXPECT_EQ(usage.at("usage")[0].at("credits_units"), 48'000);
    EXPECT_EQ(usage.at("usage")[0].at("credits"), 0.01);
  }
}

TEST_F(Reports, UsageReachesBackToTheMomentAskedFor) {
  EXPECT_EQ(get("/api/credits/usage?since=2026-11-01", "alice-token").json().at("since"),
            "2026-11-01T00:00:00.000Z");
  EXPECT_EQ(get("/api/credits/usage?since=2026-11-01T05:06:07Z", "alice-token").json().at("since"),
            "2026-11-01T05:06:07.000Z");
  EXPECT_EQ(get("/api/credits/usage", "alice-token").json().at("bucket"), "day");
}

TEST_F(Reports, UsageOfAnUnknownBucketOrMomentIsRefused) {
  for (const char* query :
       {"?bucket=week", "?since=yesterday", "?since=2026-02-30", "?since=2026-11-01T25:00:00Z",
        "?since=1000-01-01", "?bucket=hour&since=2026-01-01", "?bucket=day%00", "?since=2026-11-01%00"}) {
    const Answer answer = get(std::string("/api/credits/usage") + query, "alice-token");
    EXPECT_EQ(answer.status, 422) << query;
    EXPECT_EQ(answer.code(), "invalid_value") << query;
  }
}

}  // namespace
}  // namespace payg::test
