#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/foreign/certificate.h"
#include "tests/foreign/client.h"
#include "tests/foreign/foreign_origin.h"
#include "tests/foreign/programs.h"
#include "tests/integration/metered_proxy.h"
#include "tests/support/harness/fake_dns.h"

namespace payg::test {

/// A payg-proxy that sells its time, a web server behind it, and programs that were not written for either.
/// A second costs 0.001 credits and is sold in tenths.
class ForeignWorld : public testing::Test {
 protected:
  using Scheme = ForeignOrigin::Scheme;
  using Host = ForeignOrigin::Host;

  ForeignWorld();
  /// With more lines for the tables of the configuration.
  explicit ForeignWorld(ProxySettings settings);

  /// "127.0.0.1:4711", as clients are told it.
  std::string proxy_address() const { return proxy_address_; }
  /// What a client is to fetch, into "fetched" in folder_.
  Errand errand(const Account& account, const std::string& url) const;
  std::string fetched() const { return read_file(folder_.path() + "/fetched"); }
  /// Runs a program to its end, away from whatever this machine has configured for its people.
  Finished run(ProgramCall call) const;
  Finished run(const std::vector<std::string>& arguments) const {
    return run(
        ProgramCall{.arguments = arguments, .environment = {}, .working_folder = {}, .open_files = {}});
  }

  TempFolder folder_;
  Certificate certificate_;
  FakeDns names_;
  ForeignOrigin origin_;
  MeteredProxy metered_;
  Account alice_;  ///< who has ten credits
  std::string proxy_address_;
};

/// 0.3 seconds of connection, and not one more.
inline constexpr const char* credits_for_a_moment = "0.0003";

}  // namespace payg::test
