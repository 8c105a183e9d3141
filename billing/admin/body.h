#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "billing/admin/http_message.h"
#include "billing/admin/json_text.h"
#include "plugin/base/result.h"

namespace payg::billing {

// Reading what a client sent; what is wrong comes back as the problem document to answer with.

/// The members of the body's JSON object, whatever its Content-Type says (curl -d says "form"). Members that
/// nobody asks for are ignored.
Result<JsonObject, Reply> read_body(const Request& request);

/// A string member; the empty string when it is missing or null.
Result<std::string, Reply> optional_text(const JsonObject& body, std::string_view name);

/// An amount, as a JSON number or a decimal string, read from its digits.
Result<Credits, Reply> amount_of(const JsonObject& body, std::string_view name);

/// The Idempotency-Key, empty when none was sent: at most 255 visible ASCII characters.
Result<std::string, Reply> idempotency_key(const Request& request);

/// A query parameter; empty when it was not sent.
std::string_view query_text(const Request& request, std::string_view name);

/// A query parameter that is a day or a moment, see parse_time(); nullopt: not sent.
Result<std::optional<WallTime>, Reply> moment(const Request& request, std::string_view name);

/// A query parameter that is a whole number between the bounds; nullopt: not sent.
Result<std::optional<std::int64_t>, Reply> whole_number(const Request& request, const std::string& name,
                                                        std::int64_t lowest, std::int64_t highest);

}  // namespace payg::billing
