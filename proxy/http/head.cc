#include "proxy/http/head.h"

#include <algorithm>
#include <cstring>

#include "plugin/base/text.h"

namespace payg::http {
namespace {

/// A request line holds a target of max_target_bytes, a method and a version.
constexpr std::size_t max_start_line_bytes = max_target_bytes + 64;
constexpr std::size_t max_method_bytes = 32;
constexpr std::string_view no_method = "the method is no token";

ParseOutcome refuse(Status status, std::string_view detail) {
  return {.state = ParseState::refused, .violation = {status, detail}};
}

ParseOutcome bad(std::string_view detail) {
  return refuse(Status::bad_request, detail);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

enum class VersionKind { http_1_0, http_1_1, other_major, malformed };

/// HTTP-version of RFC 9112 §2.3, which knows one digit and capital letters only.
VersionKind read_version(std::string_view text) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !is_digit(text[5]) || text[6] != '.' ||
      !is_digit(text[7]))
    return VersionKind::malformed;
  if (text[5] == '0') return VersionKind::malformed;  // HTTP/0.9 had no version to name
  if (text[5] != '1') return VersionKind::other_major;
  return text[7] == '0' ? VersionKind::http_1_0 : VersionKind::http_1_1;
}

Method classify_method(std::string_view text) {
  switch (text.size()) {
    case 3: return text == "GET" ? Method::get : text == "PUT" ? Method::put : Method::other;
    case 4: return text == "HEAD" ? Method::head : text == "POST" ? Method::post : Method::other;
    case 5: return text == "TRACE" ? Method::trace : Method::other;
    case 6: return text == "DELETE" ? Method::delete_resource : Method::other;
    case 7: return text == "CONNECT" ? Method::connect : text == "OPTIONS" ? Method::options : Method::other;
    default: return Method::other;
  }
}

/// REQUIRES: `line` has no LF. A complete outcome: the line is good.
ParseOutcome read_request_line(std::string_view line, RequestHead& out) {
  const auto first = line.find(' ');
  const auto second = first == line.npos ? line.npos : line.find(' ', first + 1);
  if (second == line.npos) return bad("the request line is not METHOD TARGET VERSION");
  out.method_text = line.substr(0, first);
  out.target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);

  if (!is_token(out.method_text)) return bad(no_method);
  if (out.method_text.size() > max_method_bytes) return refuse(Status::not_implemented, "no such method");
  if (out.target.empty()) return bad("the request target is empty");
  if (out.target.size() > max_target_bytes)
    return refuse(Status::uri_too_long, "the request target is too long");
  const bool visible =
      std::all_of(out.target.begin(), out.target.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!visible) return bad("the request target holds characters that must be percent-encoded");

  switch (read_version(version)) {
    case VersionKind::malformed: return bad("the request line does not end in HTTP/1.1");
    case VersionKind::other_major:
      return refuse(Status::http_version_not_supported, "only HTTP/1 is spoken here");
    case VersionKind::http_1_0: out.version = Version::http_1_0; break;
    case VersionKind::http_1_1: out.version = Version::http_1_1; break;
  }
  out.method = classify_method(out.method_text);
  return {.state = ParseState::complete};
}

ParseOutcome read_status_line(std::string_view line, ResponseHead& out) {
  switch (read_version(line.substr(0, 8))) {
    case VersionKind::malformed:
    case VersionKind::other_major: return bad("the status line does not begin with HTTP/1.1");
    case VersionKind::http_1_0: out.version = Version::http_1_0; break;
    case VersionKind::http_1_1: out.version = Version::http_1_1; break;
  }
  const bool three_digits = line.size() >= 12 && line[8] == ' ' && is_digit(line[9]) && is_digit(line[10]) &&
                            is_digit(line[11]) && (line.size() == 12 || line[12] == ' ');
  if (!three_digits) return bad("the status code is not three digits");
  out.status = static_cast<unsigned>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  if (out.status < 100 || out.status > 599) return bad("there is no such status code");
  out.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (!is_field_value(out.reason)) return bad("the reason phrase holds control characters");
  return {.state = ParseState::complete};
}

enum class SpaceBeforeColon { refused, removed };

/// Empty: the line is good and `out` is filled.
std::string_view read_field_line(std::string_view line, SpaceBeforeColon space, Field& out) {
  if (line.front() == ' ' || line.front() == '\t') return "a field is continued on a second line (obs-fold)";
  const auto colon = line.find(':');
  if (colon == line.npos) return "a field line has no colon";
  out.name = line.substr(0, colon);
  if (space == SpaceBeforeColon::removed) out.name = trim_ows(out.name);
  if (!is_token(out.name)) return "a field name is no token";
  out.value = trim_ows(line.substr(colon + 1));
  if (!is_field_value(out.value)) return "a field value holds control characters";
  out.id = classify_field_name(out.name);
  return {};
}

/// `block` holds the field lines, each with its CRLF; that there is no bare LF is known.
ParseOutcome read_fields(std::string_view block, SpaceBeforeColon space, Fields& out) {
  out.clear();
  while (!block.empty()) {
    const auto lf = block.find('\n');
    Field field;
    const std::string_view wrong = read_field_line(block.substr(0, lf - 1), space, field);
    if (!wrong.empty()) return bad(wrong);
    if (!out.add(field)) return refuse(Status::request_header_fields_too_large, "there are too many fields");
    block.remove_prefix(lf + 1);
  }
  return {.state = ParseState::complete};
}

ParseOutcome outcome_of(HeadScanner::Progress progress) {
  using Progress = HeadScanner::Progress;
  switch (progress) {
    case Progress::bare_lf: return bad("a line does not end in CR LF");
    case Progress::too_long_line: return refuse(Status::uri_too_long, "the request line is too long");
    case Progress::too_large:
      return refuse(Status::request_header_fields_too_large, "the head is larger than 64 KiB");
    case Progress::too_many_lines:
      return refuse(Status::request_header_fields_too_large, "there are more than 128 fields");
    case Progress::incomplete:
    case Progress::start_line:
    case Progress::complete: break;
  }
  return {};
}

ParseOutcome read_start_line(std::string_view line, RequestHead& out) {
  return read_request_line(line, out);
}
ParseOutcome read_start_line(std::string_view line, ResponseHead& out) {
  return read_status_line(line, out);
}

template <class Head>
ParseOutcome parse_head(HeadScanner& scanner, std::string_view buffered, SpaceBeforeColon space, Head& out) {
  const auto read_line = [&] {
    return read_start_line(buffered.substr(scanner.start(), scanner.start_line_end() - scanner.start()), out);
  };
  auto progress = scanner.advance(buffered);
  // What an earlier call read into `out` lay in a buffer that may have moved since.
  bool line_is_read = false;
  if (progress == HeadScanner::Progress::start_line) {
    if (auto line = read_line(); line.state == ParseState::refused) return line;
    line_is_read = true;
    progress = scanner.advance(buffered);
  }
  if (progress != HeadScanner::Progress::complete) return outcome_of(progress);
  if (!line_is_read) (void)read_line();

  const std::size_t fields_begin = scanner.start_line_end() + 2;
  const std::size_t fields_end = scanner.end() - 2;
  auto outcome = read_fields(buffered.substr(fields_begin, fields_end - fields_begin), space, out.fields);
  if (outcome.state == ParseState::refused) return outcome;
  if (!out.connection.read(out.fields)) return bad("Connection lists too many fields");
  outcome.consumed = scanner.end();
  return outcome;
}

}  // namespace

HeadScanner::Progress HeadScanner::advance(std::string_view buffered) noexcept {
  // Bytes behind the limit are not looked at: how many came at once must not make a difference.
  const std::string_view visible = buffered.substr(0, max_head_bytes);
  while (searched_ < visible.size()) {
    const void* found = std::memchr(visible.data() + searched_, '\n', visible.size() - searched_);
    if (found == nullptr) break;
    const auto lf = static_cast<std::size_t>(static_cast<const char*>(found) - visible.data());
    searched_ = lf + 1;
    const Progress progress = on_line_end(lf, lf > line_ ? visible[lf - 1] : '\0');
    if (progress != Progress::incomplete) return progress;
  }
  searched_ = visible.size();
  // The CR may be there already.
  if (lines_ == 0 && visible.size() - line_ > max_start_line_bytes + 1) return Progress::too_long_line;
  return visible.size() == max_head_bytes ? Progress::too_large : Progress::incomplete;
}

HeadScanner::Progress HeadScanner::on_line_end(std::size_t lf, char before) noexcept {
  if (lines_ == 0 && lf - line_ > max_start_line_bytes + 1) return Progress::too_long_line;
  if (before != '\r') return Progress::bare_lf;
  const bool empty = lf == line_ + 1;
  line_ = lf + 1;
  if (lines_ == 0 && empty && skippable_lines_ > 0) {
    --skippable_lines_;
    start_ = line_;
    return Progress::incomplete;
  }
  if (lines_ > 0 && empty) return Progress::complete;
  if (++lines_ == 1) {
    start_line_end_ = lf - 1;
    return Progress::start_line;
  }
  return lines_ > max_fields + 1 ? Progress::too_many_lines : Progress::incomplete;
}

ParseOutcome RequestParser::parse(std::string_view buffered, RequestHead& out) noexcept {
  auto outcome = parse_head(scanner_, buffered, SpaceBeforeColon::refused, out);
  // A client that speaks something else, TLS say, may be waiting for us: don't wait for the end of its line,
  // and say the same when that is there already.
  if (outcome.state != ParseState::complete && buffered.size() > scanner_.start()) {
    const char first = buffered[scanner_.start()];
    if (first != '\r' && first != '\n' && !is_token_char(first)) outcome = bad(no_method);
  }
  if (outcome.state != ParseState::incomplete) reset();
  return outcome;
}

ParseOutcome ResponseParser::parse(std::string_view buffered, ResponseHead& out) noexcept {
  auto outcome = parse_head(scanner_, buffered, SpaceBeforeColon::removed, out);
  outcome.violation.status = Status::bad_gateway;
  if (outcome.state != ParseState::incomplete) reset();
  return outcome;
}

bool is_idempotent(Method method) noexcept {
  switch (method) {
    case Method::get:
    case Method::head:
    case Method::put:
    case Method::delete_resource:
    case Method::options:
    case Method::trace: return true;
    case Method::post:
    case Method::connect:
    case Method::other: return false;
  }
  return false;
}

bool allows_keep_alive(const RequestHead& head) noexcept {
  if (head.version == Version::http_1_0 || head.connection.close) return false;
  // No standard knows Proxy-Connection, but clients that send it mean it.
  std::string_view list = head.fields.first(FieldName::proxy_connection);
  for (std::string_view option; next_list_element(list, option);) {
    if (equal_ignoring_case(option, "close")) return false;
  }
  return true;
}

bool allows_keep_alive(const ResponseHead& head) noexcept {
  if (head.connection.close) return false;
  return head.version == Version::http_1_1 || head.connection.keep_alive;
}

bool expects_continue(const RequestHead& head) noexcept {
  return head.version == Version::http_1_1 &&
         std::any_of(head.fields.begin(), head.fields.end(), [](const Field& field) {
           return field.id == FieldName::expect && equal_ignoring_case(field.value, "100-continue");
         });
}

bool wants_upgrade(const RequestHead& head) noexcept {
  if (head.version == Version::http_1_0 || !head.connection.upgrade) return false;
  bool named = false;
  for (const Field& field : head.fields) {
    if (field.id != FieldName::upgrade) continue;
    std::string_view list = field.value;
    for (std::string_view protocol; next_list_element(list, protocol);) {
      if (equal_ignoring_case(protocol, "h2c")) return false;
      named = true;
    }
  }
  return named;
}

bool forwards_used_up(const RequestHead& head) noexcept {
  if (head.method != Method::trace && head.method != Method::options) return false;
  const std::string_view value = head.fields.first(FieldName::max_forwards);
  return !value.empty() && value.find_first_not_of('0') == value.npos;
}

std::string joined_via(const Fields& fields) {
  std::string all;
  for (const Field& field : fields) {
    if (field.id != FieldName::via) continue;
    if (!all.empty()) all += ", ";
    all += field.value;
  }
  return all;
}

bool has_via(const Fields& fields, std::string_view pseudonym) noexcept {
  for (const Field& field : fields) {
    if (field.id != FieldName::via) continue;
    std::string_view list = field.value;
    for (std::string_view element; next_list_element(list, element);) {
      // received-protocol RWS received-by [ RWS comment ], RFC 9110 §7.6.3
      const auto space = element.find_first_of(" \t");
      if (space == element.npos) continue;
      const std::string_view rest = trim_ows(element.substr(space));
      if (equal_ignoring_case(rest.substr(0, rest.find_first_of(" \t")), pseudonym)) return true;
    }
  }
  return false;
}

}  // namespace payg::http
