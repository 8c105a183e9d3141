#include "proxy/http/rewrite.h"

#include <charconv>
#include <concepts>

namespace payg::http {
namespace {

constexpr std::string_view crlf = "\r\n";

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += crlf;
}

template <std::unsigned_integral Number>
void append_number(std::string& out, Number number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void append_content_length(std::string& out, std::uint64_t bytes) {
  out += "Content-Length: ";
  append_number(out, bytes);
  out += crlf;
}

void append_via(std::string& out, Version received, std::string_view pseudonym) {
  out += received == Version::http_1_0 ? "Via: 1.0 " : "Via: 1.1 ";
  out += pseudonym;
  out += crlf;
}

void append_framing(std::string& out, const BodyFraming& framing) {
  switch (framing.kind) {
    case BodyFraming::Kind::length: append_content_length(out, framing.length); break;
    case BodyFraming::Kind::chunked: append_field(out, "Transfer-Encoding", "chunked"); break;
    case BodyFraming::Kind::none:
    case BodyFraming::Kind::until_close: break;
  }
}

void append_connection(std::string& out, UpgradeHandling upgrade, Persistence persistence) {
  if (upgrade == UpgradeHandling::pass_on) {
    append_field(out, "Connection", "Upgrade");
  } else if (persistence == Persistence::close) {
    append_field(out, "Connection", "close");
  }
}

/// Max-Forwards of TRACE and OPTIONS counts down (RFC 9110 §7.6.2); what is no number is left out, as any
/// recipient may ignore it.
void append_max_forwards(std::string& out, const RequestHead& head, std::string_view value) {
  if (head.method != Method::trace && head.method != Method::options) {
    append_field(out, "Max-Forwards", value);
    return;
  }
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (error != std::errc{} || end != value.data() + value.size() || count == 0) return;
  out += "Max-Forwards: ";
  append_number(out, count - 1);
  out += crlf;
}

void append_request_field(std::string& out, const RequestHead& head, const Field& field,
                          UpgradeHandling upgrade) {
  switch (field.id) {
    case FieldName::other:
    case FieldName::accept:
      if (!head.connection.lists(field.name)) append_field(out, field.name, field.value);
      break;
    case FieldName::via: append_field(out, field.name, field.value); break;
    case FieldName::expect:
      if (head.version == Version::http_1_1) append_field(out, field.name, field.value);
      break;
    case FieldName::max_forwards: append_max_forwards(out, head, field.value); break;
    case FieldName::upgrade:
      if (upgrade == UpgradeHandling::pass_on) append_field(out, field.name, field.value);
      break;
    case FieldName::connection:
    case FieldName::content_length:
    case FieldName::host:
    case FieldName::keep_alive:
    case FieldName::proxy_authenticate:
    case FieldName::proxy_authentication_info:
    case FieldName::proxy_authorization:
    case FieldName::proxy_connection:
    case FieldName::te:
    case FieldName::trailer:
    case FieldName::transfer_encoding: break;
  }
}

void append_response_field(std::string& out, const ResponseHead& head, const Field& field,
                           UpgradeHandling upgrade) {
  switch (field.id) {
    case FieldName::other:
    case FieldName::accept:
    case FieldName::host:
    case FieldName::expect:
    case FieldName::max_forwards:
      if (!head.connection.lists(field.name)) append_field(out, field.name, field.value);
      break;
    case FieldName::via: append_field(out, field.name, field.value); break;
    case FieldName::upgrade:
      if (upgrade == UpgradeHandling::pass_on) append_field(out, field.name, field.value);
      break;
    case FieldName::connection:
    case FieldName::content_length:
    case FieldName::keep_alive:
    case FieldName::proxy_authenticate:
    case FieldName::proxy_authentication_info:
    case FieldName::proxy_authorization:
    case FieldName::proxy_connection:
    case FieldName::te:
    case FieldName::trailer:
    case FieldName::transfer_encoding: break;
  }
}

void append_status_line(std::string& out, const ResponseHead& head) {
  out += "HTTP/1.1 ";
  append_number(out, head.status);
  out += ' ';
  out += head.reason;
  out += crlf;
}

/// Where there is no body, Content-Length still says how long it would be (RFC 9110 §8.6).
void append_response_framing(std::string& out, const ResponseHead& head, const ResponseRewrite& rewrite) {
  if (rewrite.framing.kind != BodyFraming::Kind::none) {
    append_framing(out, rewrite.framing);
    return;
  }
  const bool tells_length = rewrite.request_method == Method::head || head.status == 304;
  if (!tells_length || head.status < 200 || head.status == 204) return;
  if (const auto length = content_length(head.fields)) append_content_length(out, *length);
}

}  // namespace

void append_request_head(std::string& out, const RequestHead& head, const RequestRewrite& rewrite) {
  out += head.method_text;
  out += ' ';
  append_origin_form(out, rewrite.target, head.method);
  out += " HTTP/1.1\r\nHost: ";
  append_host(out, rewrite.target);
  out += crlf;
  for (const Field& field : head.fields) append_request_field(out, head, field, rewrite.upgrade);
  append_framing(out, rewrite.framing);
  append_connection(out, rewrite.upgrade, rewrite.persistence);
  append_via(out, head.version, rewrite.pseudonym);
  out += crlf;
}

void append_response_head(std::string& out, const ResponseHead& head, const ResponseRewrite& rewrite) {
  append_status_line(out, head);
  for (const Field& field : head.fields) append_response_field(out, head, field, rewrite.upgrade);
  append_response_framing(out, head, rewrite);
  const bool interim = head.status < 200 && rewrite.upgrade == UpgradeHandling::strip;
  if (!interim) append_connection(out, rewrite.upgrade, rewrite.persistence);
  append_via(out, head.version, rewrite.pseudonym);
  out += crlf;
}

}  // namespace payg::http
