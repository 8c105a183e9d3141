#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "config/proxy_config.h"

namespace payg::proxy {

/// How long a connection that has nothing more to say is kept so that its last bytes arrive before it is
/// closed.
inline constexpr std::chrono::milliseconds linger_time{2000};

/// How long a client that was just accepted may still begin to speak when the worker drains.
inline constexpr std::chrono::milliseconds drain_patience{500};

/// The part of the configuration that connections look at.
struct Settings {
  std::chrono::milliseconds idle_timeout;
  std::chrono::milliseconds handshake_timeout;
  std::chrono::milliseconds connect_timeout;
  /// This proxy's name in Via; unique to the process, so that loops and nothing else are found.
  std::string pseudonym;
};

}  // namespace payg::proxy
