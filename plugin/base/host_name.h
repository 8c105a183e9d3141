#pragma once

#include <string_view>

namespace payg {

/// Whether a DNS name may be written so: 1 to 253 bytes in labels of 1 to 63 letters (of either case),
/// digits,
/// '-' and '_', without a trailing dot. What some resolver or inet_aton(3) would take for an address is none:
/// its last label is a number ("127.1", "0x7f.1", "1.2.3.4"). The rule is the URL Standard's "ends in a
/// number" (https://url.spec.whatwg.org/#ends-in-a-number-checker); the lengths are RFC 1035 §2.3.4's.
bool is_host_name(std::string_view text) noexcept;

}  // namespace payg
