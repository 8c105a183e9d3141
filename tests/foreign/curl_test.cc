// curl, beyond fetching a file: uploads, resumed downloads, many at once, and its odder ways to a proxy.

#include <algorithm>

#include "tests/foreign/foreign_world.h"
#include "tests/support/harness/pattern.h"

namespace payg::test {
namespace {

using Scheme = ForeignOrigin::Scheme;

/// How curl is told to go to the proxy.
struct Way {
  const char* name;
  const char* kind;  ///< of the proxy's URL
  Scheme scheme;     ///< of the origin's
  std::vector<std::string> options;
  const char* version;     ///< of HTTP, in which the origin is asked
  const char* cut_upload;  ///< a part of what it shows when one is cut
  Door door = Door::plain;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

class CurlWorld : public ForeignWorld {
 protected:
  using ForeignWorld::ForeignWorld;

  std::vector<std::string> curl_with(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {curl_program, "-qsS", "--cacert", certificate_.path,
                                         "--proxy-cacert", certificate_.path});
    return arguments;
  }
  Finished curl(std::vector<std::string> arguments) const { return run(curl_with(std::move(arguments))); }
  std::string proxy_url(const Account& account, const std::string& kind) const {
    return kind + "://" + credentials(account) + "@" + proxy_address();
  }
  std::string proxy_url(const std::string& kind = "http") const { return proxy_url(alice_, kind); }
  std::size_t requests_of_kind(const std::string& kind) const {
    const auto all = origin_.requests();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const auto& request) { return request.kind == kind; }));
  }
  const std::string whole_ = Pattern::bytes(0, 3'000'017);
};

class CurlWays : public CurlWorld, public testing::WithParamInterface<Way> {
 protected:
  CurlWays() : CurlWorld(GetParam().door) {}

  ProgramCall call(const Account& account, const std::string& path,
                   std::vector<std::string> arguments) const {
    const Way& way = GetParam();
    arguments.insert(arguments.begin(), {"-x", proxy_url(account, way.kind)});
    arguments.insert(arguments.end(), way.options.begin(), way.options.end());
    arguments.push_back(origin_.url(way.scheme, path, host()));
    return called(curl_with(std::move(arguments)));
  }
  Finished curl_as(const Account& account, const std::string& path,
                   std::vector<std::string> arguments) const {
    return run(call(account, path, std::move(arguments)));
  }
  Finished curl_to(const std::string& path, std::vector<std::string> arguments) const {
    return curl_as(alice_, path, std::move(arguments));
  }

 private:
  /// Where curl does not resolve it, a name that only the proxy knows.
  Host host() const { return std::string_view(GetParam().kind) == "socks5" ? Host::v6 : Host::by_name; }
};

TEST_P(CurlWays, AnUploadThatWaitsForContinueArrivesWhole) {
  const std::string file = folder_.write("upload", whole_);
  const Finished sent = curl_to("/files/uploaded", {"-T", file, "-H", "Expect: 100-continue"});
  ASSERT_EQ(sent.status.code, 0) << told_by(sent);
  EXPECT_TRUE(origin_.file("uploaded") == whole_) << told_by(sent);
  EXPECT_EQ(requests_of_kind("expect"), 1U);
}

TEST_P(CurlWays, AnUploadOfUnknownLengthArrivesWhole) {
  const std::string file = folder_.write("upload", whole_);
  const Finished sent = curl_to("/files/uploaded", {"-X", "PUT", "-H", "Transfer-Encoding: chunked", "-H",
                                                    "Expect:", "--data-binary", "@" + file});
  ASSERT_EQ(sent.status.code, 0) << told_by(sent);
  EXPECT_TRUE(origin_.file("uploaded") == whole_) << told_by(sent);
}

TEST_P(CurlWays, ADownloadIsResumedWhereItStopped) {
  origin_.put("something", whole_);
  folder_.write("fetched", whole_.substr(0, 1'000'003));
  const Finished rest = curl_to("/files/something", {"-C", "-", "-o", folder_.path() + "/fetched"});
  ASSERT_EQ(rest.status.code, 0) << told_by(rest);
  EXPECT_TRUE(fetched() == whole_) << told_by(rest);
  EXPECT_EQ(origin_.requests().at(0).fields.at("range"), "bytes=1000003-");
}

TEST_P(CurlWays, WhatIsSentComesBackWhileItIsSent) {
  const std::string file = folder_.write("upload", whole_);
  const Finished echoed =
      curl_to("/echo", {"--data-binary", "@" + file, "-H", "Expect:", "-o", folder_.path() + "/fetched"});
  ASSERT_EQ(echoed.status.code, 0) << told_by(echoed);
  EXPECT_TRUE(fetched() == whole_) << fetched().size() << told_by(echoed);
}

TEST_P(CurlWays, AnUploadIsRefusedBeforeItIsSent) {
  const std::string file = folder_.write("upload", whole_);
  const Account penniless = metered_.user("penniless", "");
  for (const Account& account :
       {penniless, Account{alice_.name, "wrong-token"}, Account{alice_.name + "-country-zz", alice_.token}}) {
    const Finished refused = curl_as(account, "/files/uploaded", {"-f", "-T", file});
    EXPECT_NE(refused.status.code, 0) << account.name << ": " << told_by(refused);
  }
  EXPECT_TRUE(origin_.requests().empty());
}

TEST_P(CurlWays, AnUploadIsCutWhenTheMoneyIsSpent) {
  const std::string file = folder_.write("upload", whole_);
  const Finished cut =
      run_out_of_money(call(alice_, "/files/uploaded", {"-f", "-T", file, "--limit-rate", "100K"}), alice_,
                       [this](const auto&) { return origin_.has_begun_to_keep("uploaded"); });
  const char* shown = GetParam().cut_upload;
  EXPECT_NE(cut.errors.find(shown), std::string::npos) << "shows no \"" << shown << "\": " << told_by(cut);
  EXPECT_THROW(origin_.file("uploaded"), HarnessError);
  EXPECT_EQ(metered_.balance_units(alice_), 0);
}

TEST_P(CurlWays, TheOriginIsAskedInItsVersionOfHttp) {
  const Finished answer = curl_to("/hello", {});
  EXPECT_EQ(answer.output, std::string("HTTP/") + GetParam().version + " GET /hello\n") << told_by(answer);
}

constexpr const char* one = "1.1";
constexpr const char* two = "2.0";
// What is forwarded still waits for its answer, and that says why.
constexpr const char* told = "The requested URL returned error: 402";
constexpr const char* reset = "reset by peer";
const Way ways[] = {
    {"http", "http", Scheme::http, {}, one, told},
    {"http_tunnel", "http", Scheme::http, {"-p"}, one, reset},
    {"http_to_https", "http", Scheme::https, {"--http1.1"}, one, reset},
    {"http_to_http2", "http", Scheme::https, {"--http2"}, two, reset},
    {"https", "https", Scheme::http, {}, one, told, Door::tls},
    {"https_tunnel", "https", Scheme::http, {"-p"}, one, reset, Door::tls},
    {"https_to_https", "https", Scheme::https, {"--http1.1"}, one, reset, Door::tls},
    {"https_to_http2", "https", Scheme::https, {"--http2"}, two, reset, Door::tls},
    {"socks5", "socks5", Scheme::http, {}, one, reset},
    {"socks5_to_https", "socks5", Scheme::https, {"--http1.1"}, one, reset},
    {"socks5h", "socks5h", Scheme::http, {}, one, reset},
    {"socks5h_to_https", "socks5h", Scheme::https, {"--http1.1"}, one, reset},
    {"socks5h_to_http2", "socks5h", Scheme::https, {"--http2"}, two, reset},
};
INSTANTIATE_TEST_SUITE_P(EachWay, CurlWays, testing::ValuesIn(ways),
                         [](const auto& test) { return std::string(test.param.name); });

using Curl = CurlWorld;

TEST_F(Curl, SpeaksHttp2WithTheOriginInsideTheTunnel) {
  const Finished answer = curl(
      {"-x", proxy_url(), "--http2", "-w", "version %{http_version}", origin_.url(Scheme::https, "/hello")});
  EXPECT_EQ(answer.output, "HTTP/2.0 GET /hello\nversion 2") << told_by(answer);
}

TEST_F(Curl, TwentyDownloadsAtOnceAreOneSession) {
  origin_.put("something", whole_);
  const Finished all = curl({"-x", proxy_url(), "-Z", "--parallel-immediate", "--parallel-max", "20", "-o",
                             "many_#1", origin_.url(Scheme::http, "/files/something?[1-20]")});
  ASSERT_EQ(all.status.code, 0) << told_by(all);
  for (int i = 1; i <= 20; ++i)
    EXPECT_TRUE(read_file(folder_.path() + "/many_" + std::to_string(i)) == whole_) << i;
  EXPECT_TRUE(eventually([&] { return metered_.live_sessions(alice_) == 0; }));
  EXPECT_EQ(metered_.usage_rows(alice_), 1);
}

TEST_F(Curl, WithAnyAuthFindsOutThatBasicIsWanted) {
  const Finished answer = curl({"-x", "http://" + proxy_address(), "--proxy-anyauth", "--proxy-user",
                                credentials(alice_), "-v", origin_.url(Scheme::http, "/hello")});
  EXPECT_EQ(answer.output, "HTTP/1.1 GET /hello\n") << told_by(answer);
  EXPECT_NE(answer.errors.find("< HTTP/1.1 407 "), std::string::npos) << told_by(answer);
}

TEST_F(Curl, WithAnyAuthFindsOutThatBasicIsWantedForATunnel) {
  const Finished answer = curl({"-x", "http://" + proxy_address(), "--proxy-anyauth", "--proxy-user",
                                credentials(alice_), "-v", origin_.url(Scheme::https, "/hello")});
  EXPECT_EQ(answer.output, "HTTP/2.0 GET /hello\n") << told_by(answer);
  EXPECT_NE(answer.errors.find("< HTTP/1.1 407 "), std::string::npos) << told_by(answer);
}

TEST_F(Curl, WithAnyAuthSendsAnUploadWholeAfterTheQuestion) {
  const std::string file = folder_.write("upload", whole_);
  const Finished sent = curl({"-x", "http://" + proxy_address(), "--proxy-anyauth", "--proxy-user",
                              credentials(alice_), "-T", file, origin_.url(Scheme::http, "/files/uploaded")});
  ASSERT_EQ(sent.status.code, 0) << told_by(sent);
  EXPECT_TRUE(origin_.file("uploaded") == whole_) << told_by(sent);
}

TEST_F(Curl, NeitherCredentialsNorHopByHopFieldsReachTheOrigin) {
  const Finished answer = curl({"-x", proxy_url(), "-H", "Connection: keep-alive, X-For-The-Proxy", "-H",
                                "X-For-The-Proxy: 1", origin_.url(Scheme::http, "/hello")});
  ASSERT_EQ(answer.status.code, 0) << told_by(answer);
  const auto fields = origin_.requests().at(0).fields;
  for (const char* name : {"proxy-authorization", "proxy-connection", "x-for-the-proxy"})
    EXPECT_FALSE(fields.contains(name)) << name;
  EXPECT_TRUE(fields.contains("via"));
}

TEST_F(Curl, SpeaksHttp10InEveryWay) {
  const Finished forwarded = curl({"-x", proxy_url(), "-0", origin_.url(Scheme::http, "/hello")});
  EXPECT_EQ(forwarded.output, "HTTP/1.1 GET /hello\n") << told_by(forwarded);
  const Finished tunnelled = curl(
      {"--proxy1.0", credentials(alice_) + "@" + proxy_address(), "-p", origin_.url(Scheme::http, "/hello")});
  EXPECT_EQ(tunnelled.output, "HTTP/1.1 GET /hello\n") << told_by(tunnelled);
}

TEST_F(Curl, AsksForAHeadWithoutWaitingForABody) {
  origin_.put("something", whole_);
  const Finished head = curl({"-x", proxy_url(), "-I", origin_.url(Scheme::http, "/files/something")});
  EXPECT_EQ(head.status.code, 0) << told_by(head);
  EXPECT_NE(head.output.find("3000017"), std::string::npos) << told_by(head);
}

TEST_F(Curl, IsToldThatThereIsNoSocks4) {
  for (const char* kind : {"socks4", "socks4a"}) {
    const Finished refused =
        curl({"-x", std::string(kind) + "://alice@" + proxy_address(), origin_.url(Scheme::http, "/hello")});
    EXPECT_EQ(refused.status.code, 97) << kind << ": " << told_by(refused);
  }
  EXPECT_TRUE(origin_.requests().empty());
}

TEST_F(Curl, ThatKnowsOnlyDigestGivesUp) {
  const Finished refused =
      curl({"-x", "http://" + proxy_address(), "--proxy-digest", "--proxy-user", credentials(alice_), "-w",
            "answer %{http_code}", "-o", "/dev/null", origin_.url(Scheme::http, "/hello")});
  EXPECT_EQ(refused.output, "answer 407") << told_by(refused);
  EXPECT_TRUE(origin_.requests().empty());
}

TEST_F(Curl, ShowsWhereToBuyWhenNothingIsLeft) {
  const Account penniless = metered_.user("penniless", "");
  const Finished refused = curl({"-i", "-x", "http://" + credentials(penniless) + "@" + proxy_address(),
                                 origin_.url(Scheme::http, "/hello")});
  EXPECT_TRUE(refused.output.starts_with("HTTP/1.1 402 Payment Required\r\n")) << told_by(refused);
  EXPECT_NE(refused.output.find("Proxy-Status: "), std::string::npos) << told_by(refused);
}

class CurlAtATlsDoor : public CurlWorld {
 protected:
  CurlAtATlsDoor() : CurlWorld(Door::tls) {}
};

TEST_F(CurlAtATlsDoor, WithAnyAuthFindsOutThatBasicIsWanted) {
  for (const auto& [scheme, version] : {std::pair{Scheme::http, "1.1"}, std::pair{Scheme::https, "2.0"}}) {
    const Finished answer = curl({"-x", "https://" + proxy_address(), "--proxy-anyauth", "--proxy-user",
                                  credentials(alice_), "-v", origin_.url(scheme, "/hello")});
    EXPECT_EQ(answer.output, std::string("HTTP/") + version + " GET /hello\n") << told_by(answer);
    EXPECT_NE(answer.errors.find("< HTTP/1.1 407 "), std::string::npos) << told_by(answer);
  }
}

class CurlAtABalancersDoor : public CurlWorld {
 protected:
  CurlAtABalancersDoor() : CurlWorld(Door::proxy_protocol) {}
};

TEST_F(CurlAtABalancersDoor, IsTakenForWhomItConnects) {
  const Finished answer =
      curl({"-x", proxy_url(), "--haproxy-protocol", origin_.url(Scheme::http, "/hello")});
  EXPECT_EQ(answer.output, "HTTP/1.1 GET /hello\n") << told_by(answer);
  EXPECT_EQ(origin_.requests().size(), 1U);
}

TEST_F(CurlAtABalancersDoor, IsNotHeardWithoutTheHeader) {
  const Finished refused = curl({"-x", proxy_url(), origin_.url(Scheme::http, "/hello")});
  EXPECT_NE(refused.status.code, 0) << told_by(refused);
  EXPECT_TRUE(origin_.requests().empty());
}

ProxySettings at_an_ipv6_address() {
  ProxySettings settings;
  settings.listeners = {"[::1]:0"};
  return settings;
}

class CurlAtAnIpv6Door : public CurlWorld {
 protected:
  CurlAtAnIpv6Door() : CurlWorld(Door::plain, at_an_ipv6_address()) {}
};

TEST_F(CurlAtAnIpv6Door, ReachesOriginsOfBothFamilies) {
  for (const char* kind : {"http", "socks5", "socks5h"}) {
    for (const auto host : {ForeignOrigin::Host::v4, ForeignOrigin::Host::v6, ForeignOrigin::Host::by_name}) {
      const std::string url = origin_.url(Scheme::http, "/hello", host);
      if (std::string_view(kind) == "socks5" && host == ForeignOrigin::Host::by_name)
        continue;  // curl resolves it
      const Finished answer = curl({"-x", proxy_url(kind), url});
      EXPECT_EQ(answer.output, "HTTP/1.1 GET /hello\n") << kind << " " << url << ": " << told_by(answer);
    }
  }
}

}  // namespace
}  // namespace payg::test
