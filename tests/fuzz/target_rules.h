#pragma once

#include "proxy/net/target_host.h"

namespace payg::fuzz {

/// Holds a host that a parser accepted to what classify_host() promises.
void is_unambiguous(const proxy::TargetHost& host);

}  // namespace payg::fuzz
