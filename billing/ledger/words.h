#pragma once

#include <array>
#include <string>
#include <string_view>

#include "plugin/base/id.h"
#include "plugin/base/result.h"

namespace payg::billing {

// What every part of the ledger's interface speaks of; ledger.h includes it.

/// A row of `users`. Positive, so that it fits BIGINT.
using UserId = Id<struct UserTag>;

/// SHA-256 of a token; the token itself is stored nowhere.
using TokenHash = std::array<unsigned char, 32>;

struct LedgerError {
  enum class Code {
    unavailable,  ///< the database cannot be reached or gave up: the outcome of a write is unknown, ask again
    not_found,    ///< no such user, session or order
    already_exists,  ///< the name, or the network, is taken
    conflict,        ///< the same idempotency key or reference with other content
    life_is_over,    ///< a later life of the node that asks has begun, or it never had one
    insufficient,    ///< the balance does not cover it; nothing was changed
    too_many,        ///< the user has as many of them as he may; nothing was changed
    invalid,         ///< an argument breaks the rules stated at the call
    broken,          ///< the database answered something that cannot be: our bug, or someone edited it
  };
  Code code = Code::unavailable;
  std::string message;  ///< one line, for the log
};
std::string_view name_of(LedgerError::Code code) noexcept;

template <class T>
using LedgerResult = Result<T, LedgerError>;

}  // namespace payg::billing
