// The proxy's own answers hold texts of a plugin, and what they look like hangs on a client's Accept.
// Input: Accept, detail, URL and code, each on a line.

#include "proxy/http/refusal.h"

#include <nlohmann/json.hpp>
#include <string>

#include "proxy/http/framing.h"
#include "tests/fuzz/lines.h"
#include "tests/fuzz/plain_http.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

void html_is_tame(std::string_view body) {
  must(body.starts_with("<!doctype html>") && body.ends_with("</html>\n"), "a page is whole");
  std::size_t tags = 0;
  for (const char c : body) tags += c == '<' ? 1 : 0;
  // A link is four more.
  must(tags == 18 || tags == 22, "no text becomes a tag");
  must(body.find("href=\"javascript") == body.npos, "a link opens a page");
}

void json_says(const std::string& body, const http::Refusal& refusal) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  must(document.is_object() && document.at("status") == static_cast<unsigned>(refusal.status),
       "a problem document is JSON");
  bool ascii = true;
  for (const char c : refusal.detail) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
  must(!ascii || document.at("detail") == std::string(refusal.detail), "it says what it was given");
}

void is_one_response(const http::Refusal& refusal, const http::RefusalAudience& audience) {
  std::string bytes;
  http::append_refusal(bytes, refusal, audience);
  const auto head = read_plain_head(bytes);
  must(head.has_value(), "a refusal is a response, whatever its texts hold");
  const bool html = http::prefers_html(audience.accept);
  const bool asks = refusal.status == http::Status::proxy_authentication_required;
  must(head->fields.size() == (asks ? 6u : 5u), "no text becomes a field");
  const auto extent = plain_extent_of(*head);
  must(extent && extent->framing == PlainFraming::length, "a refusal has a length");
  const std::string body = bytes.substr(head->bytes);
  if (audience.method == http::Method::head) {
    must(body.empty(), "HEAD gets no body");
    return;
  }
  must(extent->length == body.size(), "its length is its body's");
  for (const char c : bytes) must(static_cast<unsigned char>(c) < 0x80, "a refusal is ASCII");
  html ? html_is_tame(body) : json_says(body, refusal);
}

}  // namespace

void refusal(std::string_view input) {
  const std::string_view accept = take_line(input);
  const std::string_view detail = take_line(input);
  const std::string_view url = take_line(input);
  const http::Refusal refusal{.status = http::Status::payment_required,
                              .error = http::ProxyError::http_request_denied,
                              .code = input,
                              .detail = detail,
                              .url = url};
  is_one_response(refusal, {.method = http::Method::get, .accept = accept});
  is_one_response(refusal, {.method = http::Method::head, .accept = accept});
  must(http::prefers_html(accept) == http::prefers_html(plain_lower(accept)), "media types have no case");
}

}  // namespace payg::fuzz
