// Certificates of TLS listeners as an operator meets them: checked, reloaded, watched.

#include <signal.h>

#include "tests/integration/plain_proxy.h"

namespace payg::test {
namespace {

struct Files {
  TestCertificate shown = TestCertificate::make();

  /// `payg-proxy --check-config` on a listener with these files in its working folder.
  Finished check() const {
    const TempFolder folder;
    if (!shown.certificate.empty()) folder.write(certificate_file, shown.certificate);
    if (!shown.key.empty()) folder.write(key_file, shown.key);
    folder.write("proxy.toml",
                 "[[listener]]\naddress = '127.0.0.1:0'\n"
                 "tls = { certificate = 'cert.pem', key = 'key.pem' }\n");
    return run_program(ProgramCall{.arguments = {built("payg-proxy"), "--check-config", "proxy.toml"},
                                   .working_folder = folder.path()});
  }
};

void expect_mistake(const Files& files, const std::string& message) {
  const Finished finished = files.check();
  EXPECT_EQ(finished.status, (ExitStatus{1, 0}));
  EXPECT_EQ(finished.errors.find(message), 0U) << finished.errors;
}

constexpr const char* certificate_place = "proxy.toml:3:23: listener.tls.certificate: ";
constexpr const char* key_place = "proxy.toml:3:41: listener.tls.key: ";

TEST(CheckedCertificate, IsAcceptedWithItsKey) {
  const Finished finished = Files().check();
  EXPECT_EQ(finished.status, (ExitStatus{0, 0})) << finished.errors;
  EXPECT_EQ(finished.errors, "");
}

TEST(CheckedCertificate, ThatIsNotThereIsNamedWithItsPlace) {
  Files files;
  files.shown.certificate = "";
  expect_mistake(files, certificate_place + std::string("cannot read the file \"cert.pem\": No such file"));
}

TEST(CheckedCertificate, WithoutItsKeyIsNamedWithThePlaceOfTheKey) {
  Files files;
  files.shown.key = "";
  expect_mistake(files, key_place + std::string("cannot read the file \"key.pem\": No such file"));
}

TEST(CheckedCertificate, ThatIsNoPemIsNamedWithWhatWasExpected) {
  Files files;
  files.shown.certificate = "this is no certificate\n";
  expect_mistake(files, certificate_place + std::string("the file \"cert.pem\" cannot be used"));
  EXPECT_NE(files.check().errors.find("expected a certificate chain in PEM"), std::string::npos);
}

TEST(CheckedCertificate, WhoseKeyIsNoPemIsNamedWithWhatWasExpected) {
  Files files;
  files.shown.key = files.shown.certificate;
  expect_mistake(files, key_place + std::string("the file \"key.pem\" cannot be used"));
}

TEST(CheckedCertificate, WhoseKeyHasAPassphraseIsRefusedAndNobodyIsAskedForIt) {
  Files files;
  files.shown.key =
      "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
      "DEK-Info: AES-128-CBC,6BA7B8109DAD11D180B400C04FD430C8\n\nAAAA\n-----END EC PRIVATE KEY-----\n";
  expect_mistake(files, key_place + std::string("the file \"key.pem\" cannot be used"));
}

TEST(CheckedCertificate, WithTheKeyOfAnotherIsRefused) {
  Files files;
  files.shown.key = TestCertificate::make().key;
  expect_mistake(files,
                 key_place + std::string("the key in \"key.pem\" does not belong to the certificate in "
                                         "\"cert.pem\""));
}

TEST(CheckedCertificate, ThatHasExpiredIsAWarningAndNoMistake) {
  const Finished finished = Files{.shown = TestCertificate::make(1, {.from = -10, .until = -1})}.check();
  EXPECT_EQ(finished.status, (ExitStatus{0, 0}));
  EXPECT_EQ(finished.errors,
            std::string("warning: ") + certificate_place + "the certificate in \"cert.pem\" has expired\n");
}

TEST(CheckedCertificate, ThatIsNotValidYetIsAWarning) {
  const Finished finished = Files{.shown = TestCertificate::make(1, {.from = 3, .until = 100})}.check();
  EXPECT_EQ(finished.status, (ExitStatus{0, 0}));
  EXPECT_NE(finished.errors.find("is not valid yet"), std::string::npos) << finished.errors;
}

class Certificate : public testing::Test {
 protected:
  explicit Certificate(ProxySettings settings = {})
      : proxy_([&settings] {
          settings.transport = Transport::tls;
          return settings;
        }()) {}

  void reload() { proxy_.process().signal(SIGHUP); }
  long shown_serial() const { return proxy_.connect().tls()->serial(); }
  bool says(const std::string& text) {
    return proxy_.process().wait_for_errors(
        [&](const std::string& log) { return log.find(text) != log.npos; });
  }

  ProxyProcess proxy_;
};

TEST_F(Certificate, IsNamedByTheLineThatSaysWhereItListens) {
  EXPECT_TRUE(says("listening on " + proxy_.address().to_string() + " (tls: http, socks5)"));
}

TEST_F(Certificate, IsReadAgainForNewConnectionsWhileThoseThatRunGoOn) {
  const Origin origin(scripts::echo());
  RawClient tunnel = proxy_.connect();
  ASSERT_EQ(http_connect(tunnel, origin.authority()).status, 200);
  EXPECT_EQ(shown_serial(), 1);
  proxy_.rewrite_certificate(TestCertificate::make(2));
  reload();
  EXPECT_TRUE(eventually([&] { return shown_serial() == 2; })) << proxy_.log();
  tunnel.send("goes on");
  EXPECT_EQ(tunnel.read_exactly(7), "goes on");
}

TEST_F(Certificate, ThatCannotBeReadLeavesTheOldOneInForce) {
  TestCertificate broken = TestCertificate::make(2);
  broken.key = TestCertificate::make(3).key;
  proxy_.rewrite_certificate(broken);
  reload();
  EXPECT_TRUE(says("the configuration was not reloaded")) << proxy_.log();
  EXPECT_TRUE(says("listener.tls.key: the key in"));
  EXPECT_EQ(shown_serial(), 1);
  proxy_.rewrite_certificate(TestCertificate::make(4));
  reload();
  EXPECT_TRUE(eventually([&] { return shown_serial() == 4; })) << "and a good one is taken afterwards";
}

TEST_F(Certificate, ThatIsAboutToExpireIsWarnedOf) {
  proxy_.rewrite_certificate(TestCertificate::make(2, {.from = -1, .until = 10}));
  reload();
  EXPECT_TRUE(says("the certificate in \"cert.pem\" expires in less than 10 days")) << proxy_.log();
  EXPECT_EQ(shown_serial(), 2);
}

class WatchedCertificate : public Certificate {
 protected:
  WatchedCertificate() : Certificate(ProxySettings{.billing = BillingSettings{}}) {}

  double seconds_left() const {
    const std::string sample =
        "payg_proxy_certificate_expiry_seconds{listener=\"" + proxy_.address().to_string() + "\"} ";
    const std::string text = proxy_.operator_client().get("/metrics").response.body.content;
    const auto found = text.find(sample);
    if (found == text.npos) throw HarnessError("no such sample in " + text);
    return std::stod(text.substr(found + sample.size()));
  }
};

TEST_F(WatchedCertificate, HasAMetricThatSaysHowLongItLasts) {
  constexpr double day = 86'400;
  EXPECT_NEAR(seconds_left(), 365 * day, day);
  proxy_.rewrite_certificate(TestCertificate::make(2, {.from = -5, .until = -2}));
  reload();
  EXPECT_TRUE(eventually([&] { return seconds_left() < 0; }));
}

TEST_F(WatchedCertificate, HandshakesAreCounted) {
  const AdminClient admin = proxy_.operator_client();
  const Origin origin(scripts::answer_ok());
  RawClient client = proxy_.connect();
  client.send("GET / HTTP/1.1\r\n\r\n");
  read_response(client);
  EXPECT_EQ(admin.metric("payg_proxy_tls_handshakes_total"), 1);
  RawClient broken(proxy_.address());
  broken.send("\x16\x03\x01 this is none");
  broken.read_to_end();
  EXPECT_TRUE(eventually([&] { return admin.metric("payg_proxy_tls_handshake_failures_total") == 1; }));
}

}  // namespace
}  // namespace payg::test
