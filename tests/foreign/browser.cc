#include "tests/foreign/browser.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/foreign/programs.h"
#include "tests/support/harness/patience.h"

namespace payg::test {

ProgramCall browse(const std::string& proxy, const Certificate& certificate, const std::string& url,
                   const std::vector<Account>& people) {
  std::vector<std::string> arguments{node_program, source_file("tests/foreign/clients/browse.js"), proxy,
                                     certificate.path, url};
  for (const auto& person : people) arguments.push_back(person.name.empty() ? "" : credentials(person));
  return ProgramCall{
      .arguments = arguments, .environment = {node_path()}, .working_folder = {}, .open_files = {}};
}

std::vector<SeenPage> pages_in(const Finished& told) {
  if (told.status.code != 0) throw HarnessError("Chromium: " + told_by(told));
  std::istringstream lines(told.output);
  std::vector<SeenPage> all;
  for (std::string line; std::getline(lines, line);) {
    const auto seen = nlohmann::json::parse(line);
    all.push_back({.status = seen.value("status", 0),
                   .title = seen.value("title", ""),
                   .text = seen.value("text", ""),
                   .error = seen.value("error", "")});
  }
  return all;
}

}  // namespace payg::test
