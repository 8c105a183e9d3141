#pragma once

#include <string>
#include <string_view>

#include "billing/ledger/ledger.h"

namespace payg::billing {

/// 128 random bits of the operating system's, as 32 hexadecimal digits in lower case. Any thread. Ends the
/// program when there is no randomness: a guessable token is worse than none.
std::string random_name();

/// A token that a user authenticates with: "payg-" and 128 random bits. Shown once, stored only as its hash.
std::string new_token();

/// SHA-256.
TokenHash hash_token(std::string_view token);

/// Whether two hashes are the same, in a time that does not depend on where they differ.
bool equal_in_constant_time(const TokenHash& a, const TokenHash& b) noexcept;

/// SHA-256 in 64 hexadecimal digits, for digests of what was asked.
std::string sha256_hex(std::string_view text);

}  // namespace payg::billing
