#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace payg::http {

/// The field names that the proxy acts on, told once while parsing, so that nothing later compares strings.
enum class FieldName : std::uint8_t {
  other,
  accept,
  connection,
  content_length,
  expect,
  host,
  keep_alive,
  max_forwards,
  proxy_authenticate,
  proxy_authentication_info,
  proxy_authorization,
  proxy_connection,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  via,
};

FieldName classify_field_name(std::string_view name) noexcept;

/// One field line; the views lie in the buffer that was parsed.
struct Field {
  std::string_view name;   ///< as received
  std::string_view value;  ///< without white space around it
  FieldName id = FieldName::other;
};

/// More field lines than this are refused with 431.
inline constexpr std::size_t max_fields = 128;

/// The field lines of one head, in the order they came in. About 5 KiB; reuse one, clear() costs nothing.
class Fields {
 public:
  void clear() noexcept { count_ = 0; }
  /// False: full.
  bool add(const Field& field) noexcept {
    if (count_ == max_fields) return false;
    lines_[count_++] = field;
    return true;
  }

  const Field* begin() const noexcept { return lines_.data(); }
  const Field* end() const noexcept { return lines_.data() + count_; }
  std::size_t size() const noexcept { return count_; }

  /// How many lines there are of a name. REQUIRES: id is not `other`.
  std::size_t count(FieldName id) const noexcept;
  /// The first line's value; an empty view (data() == nullptr) when there is none.
  std::string_view first(FieldName id) const noexcept;

 private:
  std::array<Field, max_fields> lines_;
  std::size_t count_ = 0;
};

/// What Connection says (RFC 9110 §7.6.1), all its lines together.
class ConnectionOptions {
 public:
  /// More names than this are refused: each field is compared with each.
  static constexpr std::size_t max_listed = 32;

  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;

  /// False: more than max_listed names. Names that are hop-by-hop anyway, and those that decide framing and
  /// routing, which nobody may take out by listing them, are not kept.
  bool read(const Fields& fields) noexcept;
  /// `name` was listed, so that it ends here.
  bool lists(std::string_view name) const noexcept;

 private:
  bool add(std::string_view option) noexcept;

  std::array<std::string_view, max_listed> listed_;
  std::size_t count_ = 0;
};

/// Takes the next element from a comma-separated list (RFC 9110 §5.6.1), without white space around it; empty
/// elements are left out. False: no more. Knows no quoted strings.
bool next_list_element(std::string_view& list, std::string_view& element) noexcept;

/// token of RFC 9110 §5.6.2
bool is_token(std::string_view text) noexcept;
bool is_token_char(char c) noexcept;
/// True when every byte may stand in a field value (RFC 9110 §5.5): no control character but HTAB.
bool is_field_value(std::string_view text) noexcept;

}  // namespace payg::http
