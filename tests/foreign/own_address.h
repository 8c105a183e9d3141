#pragma once

#include <functional>

#include "plugin/base/address.h"

namespace payg::test {

/// A loopback address that no other test program has at this time, of this run or of another one on this
/// machine.
IpAddress own_loopback_address();

/// Calls `start` with a port of own_loopback_address() that nobody has, and again with another one when that
/// throws a HarnessError, for somebody who listens on all addresses may have been faster. The last error goes
/// on to the caller.
void start_on_a_free_port(const std::function<void(const SocketAddress&)>& start);

/// True when somebody listens on this very address; who listens on all addresses does not count.
bool is_listened_on(const SocketAddress& address);

}  // namespace payg::test
