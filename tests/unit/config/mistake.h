#pragma once

#include <ostream>

namespace payg::config {

/// One mistake, and the whole message that an operator gets for it.
struct Mistake {
  const char* name;
  const char* text;
  const char* message;
};

inline void PrintTo(const Mistake& mistake, std::ostream* out) {
  *out << mistake.name;
}

}  // namespace payg::config
