#pragma once

#include <string>

#include "tests/support/harness/temp_folder.h"

namespace payg::test {

/// A certificate that openssl has made for this test, with its key: for localhost, 127.0.0.1, ::1 and
/// `origin_name`. It is its own authority.
struct Certificate {
  std::string path;
  std::string key_path;
};

/// The name that the tests' name server gives the origin: only the proxy can resolve it.
inline constexpr const char* origin_name = "origin.test";

/// In `folder`. Throws HarnessError with what openssl said when that fails.
Certificate make_certificate(const TempFolder& folder);

}  // namespace payg::test
