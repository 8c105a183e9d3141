#include "tests/foreign/certificate.h"

#include "tests/support/harness/patience.h"
#include "tests/support/harness/process.h"

namespace payg::test {

Certificate make_certificate(const TempFolder& folder) {
  Certificate certificate{folder.path() + "/certificate.pem", folder.path() + "/key.pem"};
  const std::string names =
      "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1,DNS:" + std::string(origin_name);
  const Finished made =
      run_program({"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2", "-subj", "/CN=payg-proxy tests",
                   "-addext", names, "-keyout", certificate.key_path, "-out", certificate.path});
  if (made.status.code != 0) throw HarnessError("openssl made no certificate: " + made.errors);
  return certificate;
}

}  // namespace payg::test
