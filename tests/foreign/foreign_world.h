#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
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

  explicit ForeignWorld(Door door = Door::plain, ProxySettings settings = {});

  /// "127.0.0.1:4711", as clients are told it.
  std::string proxy_address() const { return proxy_address_; }
  /// What a client is to fetch, into "fetched" in folder_.
  Errand errand(const Account& account, const std::string& url) const;
  std::string fetched() const { return read_file(folder_.path() + "/fetched"); }
  /// True when there is something of it.
  bool has_begun_to_fetch() const { return is_there(folder_.path() + "/fetched"); }
  static bool has_begun(const Errand& errand) { return is_there(errand.file); }

  /// Starts a program, away from whatever this machine has configured for its people.
  std::unique_ptr<Process> start(ProgramCall call) const;
  /// … and runs it to its end.
  Finished run(const ProgramCall& call) const;
  Finished run(const std::vector<std::string>& arguments) const { return run(called(arguments)); }
  /// … and takes all the user's money away when it `has_begun`: what it is doing then ends by a cut.
  Finished run_out_of_money(const ProgramCall& call, const Account& account,
                            const std::function<bool(const Process&)>& has_begun) const;

  static ProgramCall called(const std::vector<std::string>& arguments);

 private:
  /// True when the file is there and not empty.
  static bool is_there(const std::string& file);
  void take_all_money(const Account& account) const;

 protected:
  TempFolder folder_;
  Certificate certificate_;
  FakeDns names_;
  ForeignOrigin origin_;
  MeteredProxy metered_;
  Account alice_;  ///< who has ten credits
  std::string proxy_address_;
};

}  // namespace payg::test
