#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace payg::billing {

// What a request target says once its percent escapes (RFC 3986 §2.1) are undone. It is text: UTF-8 (RFC
// 3629) without control characters, U+0000 to U+001F and U+007F to U+009F. Nothing that has a name here has
// others in it, and what stands behind may read them differently: a zero byte ends a name for libpq.

/// nullopt: a broken escape, or no text.
std::optional<std::string> decode_segment(std::string_view segment);

/// What a query says: decoded names and their values.
using Query = std::map<std::string, std::string, std::less<>>;

/// Names and values of a query as forms write it: '+' is a blank. Of two with one name the first counts. What
/// cannot be decoded to text stands as U+FFFD, which is nobody's name and no value of any parameter.
Query decode_query(std::string_view query);

}  // namespace payg::billing
