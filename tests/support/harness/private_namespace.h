#pragma once

namespace payg::test {

/// Runs the calling test program again in namespaces of its own, in which it may do what root may. Called
/// first in main(), with its arguments.
///
/// `flags` are unshare(2)'s, `prepare` furnishes the namespaces and says whether that worked. Returns only
/// inside. Outside it does not return: it exits with what the inner run said, or with 1 when the kernel
/// refuses — a test that cannot be run has failed.
void enter_private_namespace(char** argv, int flags, bool (*prepare)());

/// One in which file systems can be mounted that nobody else sees.
void enter_private_mounts(char** argv);

}  // namespace payg::test
