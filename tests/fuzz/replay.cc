// Gives the inputs of a corpus to their target again, without libFuzzer: a test for every build.
//
//   fuzz_replay TARGET CORPUS [FOLDER…]

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

namespace fs = std::filesystem;

struct Target {
  std::string_view name;
  void (*run)(std::string_view);
};

constexpr Target targets[] = {
    {"request_head", request_head},
    {"request_stream", request_stream},
    {"response_stream", response_stream},
    {"request_target", request_target},
    {"chunked_body", chunked_body},
    {"basic_credentials", basic_credentials},
    {"refusal", refusal},
    {"socks5", socks5},
    {"parent_answer", parent_answer},
    {"proxy_header", proxy_header},
    {"user_name", user_name},
    {"amounts", amounts},
    {"spool_line", spool_line},
    {"api_body", api_body},
    {"url_text", url_text},
    {"written_text", written_text},
    {"addresses", addresses},
    {"times", times},
    {"config_file", config_file},
};

std::vector<fs::path> inputs_of(const fs::path& folder) {
  std::vector<fs::path> inputs;
  if (!fs::exists(folder)) return inputs;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file()) inputs.push_back(entry.path());
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

void replay(const Target& target, const fs::path& input) {
  // Said first: a broken promise ends the program, and this line then names the input.
  std::printf("%s\n", input.c_str());
  std::fflush(stdout);
  std::ifstream file(input, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  target.run({bytes.data(), bytes.size()});
}

int run(const std::vector<std::string>& arguments) {
  const auto* target =
      arguments.empty() ? std::end(targets)
                        : std::find_if(std::begin(targets), std::end(targets), [&](const Target& candidate) {
                            return candidate.name == arguments.front();
                          });
  if (target == std::end(targets) || arguments.size() < 2) {
    std::fprintf(stderr, "usage: fuzz_replay TARGET CORPUS [FOLDER…]\n");
    return 2;
  }
  if (inputs_of(arguments[1]).empty()) {
    std::fprintf(stderr, "fuzz_replay: there is no corpus in %s\n", arguments[1].c_str());
    return 1;  // a corpus that is gone proves nothing
  }
  for (auto folder = arguments.begin() + 1; folder != arguments.end(); ++folder)
    for (const fs::path& input : inputs_of(*folder)) replay(*target, input);
  return 0;
}

}  // namespace
}  // namespace payg::fuzz

int main(int argc, char** argv) {
  try {
    return payg::fuzz::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fuzz_replay: %s\n", error.what());
    return 1;
  }
}
