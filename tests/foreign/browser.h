#pragma once

#include <string>
#include <vector>

#include "tests/foreign/certificate.h"
#include "tests/foreign/client.h"
#include "tests/support/harness/process.h"

namespace payg::test {

/// What a person sees who opens a page in Chromium.
struct SeenPage {
  int status = 0;
  std::string title;  ///< when everything is loaded
  std::string text;
  std::string error;  ///< that Chromium shows instead of the page
};

/// `people` open `url`, one after the other in one Chromium, each with `proxy` (a URL) and his credentials in
/// the settings; Account{}: with none.
ProgramCall browse(const std::string& proxy, const Certificate& certificate, const std::string& url,
                   const std::vector<Account>& people);

/// What each of them saw. Throws HarnessError with what was said when Chromium did not work at all.
std::vector<SeenPage> pages_in(const Finished& told);

}  // namespace payg::test
