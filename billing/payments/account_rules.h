#pragma once

#include <string_view>

namespace payg::billing {

// What may be written down about an account, the same for the operator's tool and the HTTP API. What a user
// may be called is billing/core/user_name.h's is_user.

/// Empty (none), or something with an @ in it, at most 254 bytes (RFC 5321 §4.5.3.1.3), no blanks or control
/// characters. Whether mail arrives there, only mail can tell.
bool is_email(std::string_view address) noexcept;

/// Why credits were given or taken: one to 200 bytes, not only blanks, no control characters.
bool is_reason(std::string_view reason) noexcept;

}  // namespace payg::billing
