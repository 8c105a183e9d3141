#pragma once

#include <string>

#include "tests/support/harness/process.h"

namespace payg::test {

/// Where Debian puts what scripts/setup installs. Whole paths, because another program of the same name may
/// come first in PATH.
inline constexpr const char* curl_program = "/usr/bin/curl";
inline constexpr const char* node_program = "/usr/bin/node";
inline constexpr const char* python_program = "/usr/bin/python3";
inline constexpr const char* git_program = "/usr/bin/git";

/// "NODE_PATH=…": where Node.js finds the packages of package-lock.json.
std::string node_path();

/// All that a program has said and how it ended, for the message of a test that fails.
std::string told_by(const Finished& finished);

}  // namespace payg::test
