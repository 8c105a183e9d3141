#pragma once

namespace payg::test {

/// Runs the calling test program again in a network of its own that has nothing but a loopback interface, so
/// that whatever a test lets slip reaches nobody. Called first in main(), with its arguments.
///
/// Returns only inside that network. Outside it does not return: it exits with what the inner run said, or
/// with 1 when the kernel refuses to give a network — a test that cannot be run has failed.
void enter_private_network(char** argv);

}  // namespace payg::test
