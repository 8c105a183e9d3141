#include "proxy/refusal_kind.h"

#include <gtest/gtest.h>

#include <set>

namespace payg::proxy {
namespace {

struct Expected {
  RefusalKind kind;
  int status;
  int reply;
};

// DESIGN.md, "Names on the wire".
class RefusalTable : public testing::TestWithParam<Expected> {};

TEST_P(RefusalTable, SaysWhatTheDesignSays) {
  const auto [kind, status, reply] = GetParam();
  EXPECT_EQ(static_cast<int>(row_of(kind).status), status) << row_of(kind).code;
  EXPECT_EQ(static_cast<int>(row_of(kind).reply), reply) << row_of(kind).code;
}

INSTANTIATE_TEST_SUITE_P(Of, RefusalTable,
                         testing::Values(Expected{RefusalKind::bad_credentials, 407, 2},
                                         Expected{RefusalKind::payment_required, 402, 2},
                                         Expected{RefusalKind::forbidden_target, 403, 2},
                                         Expected{RefusalKind::bad_request, 400, 1},
                                         Expected{RefusalKind::too_many, 429, 2},
                                         Expected{RefusalKind::unavailable, 503, 1},
                                         Expected{RefusalKind::no_such_location, 503, 4},
                                         Expected{RefusalKind::unresolved, 502, 4},
                                         Expected{RefusalKind::refused, 502, 5},
                                         Expected{RefusalKind::timed_out, 504, 4}));

TEST(RefusalKinds, HaveCodesOfTheirOwn) {
  std::set<std::string_view> codes;
  for (std::size_t i = 0; i < refusal_kinds; ++i) codes.insert(row_of(static_cast<RefusalKind>(i)).code);
  EXPECT_EQ(codes.size(), refusal_kinds);
}

TEST(RefusalKinds, BringTheDenialsOwnWords) {
  const plugin::Denial denial{.reason = plugin::Reason::payment_required,
                              .detail = "buy some",
                              .url = "http://shop/",
                              .retry_after = std::chrono::seconds(7)};
  const auto refusal = refusal_of(kind_of(denial.reason), &denial);
  EXPECT_EQ(refusal.detail, "buy some");
  EXPECT_EQ(refusal.url, "http://shop/");
  EXPECT_EQ(refusal.retry_after, std::chrono::seconds(7));
}

TEST(RefusalKinds, ThatPassByThemselvesSayWhenToAskAgain) {
  for (const auto kind : {RefusalKind::unavailable, RefusalKind::too_many, RefusalKind::no_such_location,
                          RefusalKind::exhausted}) {
    EXPECT_GT(refusal_of(kind).retry_after.count(), 0) << row_of(kind).code;
  }
  EXPECT_EQ(refusal_of(RefusalKind::refused).retry_after.count(), 0);
}

}  // namespace
}  // namespace payg::proxy
