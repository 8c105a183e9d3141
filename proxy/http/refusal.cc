#include "proxy/http/refusal.h"

#include <algorithm>
#include <cstdio>

#include "plugin/base/text.h"
#include "proxy/http/fields.h"

namespace payg::http {
namespace {

constexpr std::string_view proxy_name = "payg-proxy";

/// sf-string of RFC 8941 §3.3.3, which knows printable ASCII only.
void append_structured_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= ' ' && c < 0x7f ? c : '?';
  }
  out += '"';
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < ' ' || byte == 0x7f) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += byte < 0x80 ? c : '?';
    }
  }
  out += '"';
}

void append_html_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += static_cast<unsigned char>(c) < 0x80 ? c : '?';
    }
  }
}

std::string_view code_of(const Refusal& refusal) {
  return refusal.code.empty() ? name_of(refusal.error) : refusal.code;
}

void append_status(std::string& out, Status status) {
  out += std::to_string(static_cast<unsigned>(status));
}

std::string json_body(const Refusal& refusal) {
  std::string body = "{\"title\":";
  append_json_string(body, reason_phrase(refusal.status));
  body += ",\"status\":";
  append_status(body, refusal.status);
  body += ",\"detail\":";
  append_json_string(body, refusal.detail);
  body += ",\"code\":";
  append_json_string(body, code_of(refusal));
  if (!refusal.url.empty()) {
    body += ",\"url\":";
    append_json_string(body, refusal.url);
  }
  body += "}\n";
  return body;
}

/// A link runs what it points to when it is clicked: only what opens a page becomes one.
bool is_web_url(std::string_view url) {
  return url.starts_with("http://") || url.starts_with("https://");
}

std::string html_body(const Refusal& refusal) {
  std::string body = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>";
  body += reason_phrase(refusal.status);
  body += "</title></head><body><h1>";
  append_status(body, refusal.status);
  body += ' ';
  body += reason_phrase(refusal.status);
  body += "</h1><p>";
  append_html_text(body, refusal.detail);
  body += "</p>";
  if (is_web_url(refusal.url)) {
    body += "<p><a href=\"";
    append_html_text(body, refusal.url);
    body += "\">";
    append_html_text(body, refusal.url);
    body += "</a></p>";
  }
  body += "<p><small>payg-proxy: ";
  append_html_text(body, code_of(refusal));
  body += "</small></p></body></html>\n";
  return body;
}

/// IMF-fixdate of RFC 9110 §5.6.7.
void append_date(std::string& out, WallTime now) {
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (now == WallTime{}) return;
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(now - day));
  char text[64];
  std::snprintf(text, sizeof text, "Date: %s, %02u %s %04d %02d:%02d:%02d GMT\r\n",
                days[std::chrono::weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                months[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  out += text;
}

void append_status_line(std::string& out, Status status) {
  out += "HTTP/1.1 ";
  append_status(out, status);
  out += ' ';
  out += reason_phrase(status);
  out += "\r\n";
}

void append_proxy_status(std::string& out, const Refusal& refusal) {
  out += "Proxy-Status: ";
  out += proxy_name;
  out += "; error=";
  out += name_of(refusal.error);
  if (!refusal.detail.empty()) {
    out += "; details=";
    append_structured_string(out, refusal.detail);
  }
  out += "\r\n";
}

void append_connection(std::string& out, Persistence persistence) {
  out += persistence == Persistence::close ? "Connection: close\r\n" : "Connection: keep-alive\r\n";
}

/// qvalue of RFC 9110 §12.4.2 in thousandths; malformed counts as nothing.
int read_quality(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return 0;
  int quality = text[0] == '1' ? 1000 : 0;
  if (text.size() == 1) return quality;
  if (text[1] != '.' || text.size() > 5) return 0;
  int weight = 100;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return 0;
    quality += (c - '0') * weight;
    weight /= 10;
  }
  return std::min(quality, 1000);
}

int quality_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const auto semicolon = parameters.find(';');
    const std::string_view parameter = trim_ows(parameters.substr(0, semicolon));
    parameters = semicolon == parameters.npos ? std::string_view() : parameters.substr(semicolon + 1);
    if (parameter.size() > 2 && ascii_lower(parameter[0]) == 'q' && parameter[1] == '=')
      return read_quality(parameter.substr(2));
  }
  return 1000;
}

/// A media type's quality by the most specific range that covers it.
class Preference {
 public:
  Preference(std::string_view type, std::string_view type_range) : ranges_{"*/*", type_range, type} {}

  void offer(std::string_view range, int quality) {
    for (int specificity = 0; specificity < 3; ++specificity) {
      if (specificity >= found_ && equal_ignoring_case(range, ranges_[specificity])) {
        found_ = specificity;
        quality_ = quality;
      }
    }
  }
  int quality() const { return quality_; }

 private:
  std::string_view ranges_[3];
  int found_ = 0;
  int quality_ = 0;
};

}  // namespace

std::string_view name_of(ProxyError error) noexcept {
  switch (error) {
    case ProxyError::dns_timeout: return "dns_timeout";
    case ProxyError::dns_error: return "dns_error";
    case ProxyError::destination_unavailable: return "destination_unavailable";
    case ProxyError::destination_ip_prohibited: return "destination_ip_prohibited";
    case ProxyError::destination_ip_unroutable: return "destination_ip_unroutable";
    case ProxyError::connection_refused: return "connection_refused";
    case ProxyError::connection_terminated: return "connection_terminated";
    case ProxyError::connection_timeout: return "connection_timeout";
    case ProxyError::connection_read_timeout: return "connection_read_timeout";
    case ProxyError::connection_limit_reached: return "connection_limit_reached";
    case ProxyError::http_request_error: return "http_request_error";
    case ProxyError::http_request_denied: return "http_request_denied";
    case ProxyError::http_response_incomplete: return "http_response_incomplete";
    case ProxyError::http_response_timeout: return "http_response_timeout";
    case ProxyError::http_protocol_error: return "http_protocol_error";
    case ProxyError::http_upgrade_failed: return "http_upgrade_failed";
    case ProxyError::proxy_internal_response: return "proxy_internal_response";
    case ProxyError::proxy_internal_error: return "proxy_internal_error";
    case ProxyError::proxy_configuration_error: return "proxy_configuration_error";
    case ProxyError::proxy_loop_detected: return "proxy_loop_detected";
  }
  return "proxy_internal_error";
}

void append_refusal(std::string& out, const Refusal& refusal, const RefusalAudience& audience) {
  const bool html = prefers_html(audience.accept);
  const std::string body = html ? html_body(refusal) : json_body(refusal);
  append_status_line(out, refusal.status);
  append_date(out, audience.now);
  append_proxy_status(out, refusal);
  if (refusal.status == Status::proxy_authentication_required)
    out += "Proxy-Authenticate: Basic realm=\"payg-proxy\", charset=\"UTF-8\"\r\n";
  if (refusal.retry_after.count() > 0)
    out += "Retry-After: " + std::to_string(refusal.retry_after.count()) + "\r\n";
  out += html ? "Content-Type: text/html; charset=utf-8\r\n" : "Content-Type: application/problem+json\r\n";
  out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  out += "Cache-Control: no-store\r\n";
  append_connection(out, audience.persistence);
  out += "\r\n";
  if (audience.method != Method::head) out += body;
}

Refusal refusal_of(const Violation& violation) noexcept {
  const ProxyError error = violation.status == Status::bad_gateway ? ProxyError::http_protocol_error
                                                                   : ProxyError::http_request_error;
  return {.status = violation.status, .error = error, .code = {}, .detail = violation.detail, .url = {}};
}

bool prefers_html(std::string_view accept) noexcept {
  Preference html("text/html", "text/*");
  Preference json("application/json", "application/*");
  for (std::string_view element; next_list_element(accept, element);) {
    const auto semicolon = element.find(';');
    const std::string_view range = trim_ows(element.substr(0, semicolon));
    const int quality = semicolon == element.npos ? 1000 : quality_of(element.substr(semicolon + 1));
    html.offer(range, quality);
    json.offer(range, quality);
  }
  return html.quality() > json.quality();
}

void append_tunnel_established(std::string& out, std::string_view pseudonym) {
  out += "HTTP/1.1 200 Connection established\r\nVia: 1.1 ";
  out += pseudonym;
  out += "\r\n\r\n";
}

void append_own_options(std::string& out, Persistence persistence) {
  append_status_line(out, Status::ok);
  out += "Content-Length: 0\r\n";
  append_connection(out, persistence);
  out += "\r\n";
}

}  // namespace payg::http
