#include "tests/foreign/programs.h"

namespace payg::test {

std::string node_path() {
  return std::string("NODE_PATH=") + PAYG_NODE_PACKAGES;
}

std::string told_by(const Finished& finished) {
  return to_string(finished.status) + "; it wrote:\n" + finished.output + finished.errors;
}

}  // namespace payg::test
