// Programs that know no credentials, from an address that a user has listed as his own.

#include "tests/foreign/browser.h"
#include "tests/foreign/foreign_world.h"

namespace payg::test {
namespace {

using Scheme = ForeignOrigin::Scheme;
using Host = ForeignOrigin::Host;

class ListedAddress : public ForeignWorld {
 protected:
  void list_ours() const {
    const auto answer = metered_.client(alice_).post("/api/addresses", R"({"network": "127.0.0.1"})");
    ASSERT_EQ(answer.status(), 201) << answer.response.body.content;
    // It counts from when the token has come from there.
    ASSERT_EQ(metered_.fetch_status({alice_.name, alice_.token}, origin_), 200);
  }
};

TEST_F(ListedAddress, LetsCurlInByEveryWay) {
  list_ours();
  for (const char* kind : {"http", "socks5h"}) {
    for (const auto scheme : {Scheme::http, Scheme::https}) {
      const std::string url = origin_.url(scheme, "/hello", Host::by_name);
      const Finished answer = run({curl_program, "-qsS", "--http1.1", "--cacert", certificate_.path, "-x",
                                   std::string(kind) + "://" + proxy_address(), url});
      EXPECT_EQ(answer.output, "HTTP/1.1 GET /hello\n") << kind << " " << url << ": " << told_by(answer);
    }
  }
}

TEST_F(ListedAddress, LetsChromiumInBySocks5WhichItHasNoCredentialsFor) {
  list_ours();
  const auto pages = pages_in(run(browse("socks5://" + proxy_address(), certificate_,
                                         origin_.url(Scheme::https, "/page", Host::by_name), {Account{}})));
  EXPECT_EQ(pages.at(0).title, "loaded 50") << pages.at(0).error;
}

}  // namespace
}  // namespace payg::test
