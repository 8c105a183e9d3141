#include "proxy/http/basic_credentials.h"

#include <gtest/gtest.h>

#include "tests/unit/proxy/http_builders.h"

namespace payg::http {
namespace {

TEST(BasicCredentials, AreDividedAtTheFirstColon) {
  for (const auto& [value, name, password] : {std::tuple{"Basic dXNlcjpwYXNz", "user", "pass"},
                                              {"bASIC dXNlcjpwYXNz", "user", "pass"},
                                              {"Basic   dXNlcjpwYXNz", "user", "pass"},
                                              {"Basic dTpwOnE=", "u", "p:q"},
                                              {"Basic Og==", "", ""},
                                              {"Basic dTo=", "u", ""},
                                              {"Basic OnA=", "", "p"},
                                              {"Basic w7w6w7w=", "\xc3\xbc", "\xc3\xbc"}}) {
    const auto credentials = parse_basic_credentials(value);
    ASSERT_TRUE(credentials) << value;
    EXPECT_EQ(credentials->name, name) << value;
    EXPECT_EQ(credentials->password, password) << value;
  }
}

TEST(BasicCredentials, AreNoneWhenMalformed) {
  for (const char* value : {"", "Basic", "Basic ", "dXNlcjpwYXNz", "Bearer dXNlcjpwYXNz", "Basic dXNlcg==",
                            "Basic !!!!", "Basic dXNlcjpwYXNz=", "Basic dTo", "Basic dXNlcjpwYXNz dXNl",
                            "BasicdXNlcjpwYXNz", "Basic dQA6cA==", "Basic dTpwCg==", "Basic dTpwfw=="})
    EXPECT_FALSE(parse_basic_credentials(value)) << value;
}

TEST(BasicCredentials, OfARequestAreItsOnlyProxyAuthorization) {
  EXPECT_EQ(proxy_credentials(*test::request_with("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"))->name,
            "user");
  EXPECT_FALSE(proxy_credentials(*test::request_with("Authorization: Basic dXNlcjpwYXNz\r\n")));
  EXPECT_FALSE(
      proxy_credentials(*test::request_with("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"
                                            "Proxy-Authorization: Basic dTpw\r\n")));
}

}  // namespace
}  // namespace payg::http
