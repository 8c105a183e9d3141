#include <arpa/inet.h>

#include <string>

#include "proxy/http/target.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/target_rules.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

http::RequestHead& head_of(http::Method method, std::string_view target, std::string_view host) {
  static http::RequestHead head;
  head.method = method;
  head.target = target;
  head.version = http::Version::http_1_1;
  head.fields.clear();
  static_cast<void>(head.fields.add({.name = "Host", .value = host, .id = http::FieldName::host}));
  return head;
}

/// What a parser of heads lets through as a target.
bool may_be_target(std::string_view text) {
  for (const char c : text)
    if (c < '!' || c > '~') return false;
  return !text.empty() && text.size() <= http::max_target_bytes;
}

void same(const http::Target& a, const http::Target& b) {
  must(a.host.text == b.host.text && a.host.address == b.host.address && a.port == b.port,
       "a target that is written and read again is the same");
}

void survives_writing(const http::Target& target, http::Method method) {
  std::string authority;
  http::append_host(authority, target);
  std::string origin_form;
  http::append_origin_form(origin_form, target, method);
  must(origin_form == "*" || origin_form.front() == '/', "the origin-form begins with a slash");

  http::Target again;
  const std::string absolute = "http://" + authority + origin_form;
  must(!http::parse_target(head_of(http::Method::get, absolute, authority), again) || origin_form == "*",
       "a target that was written is one");
  if (origin_form == "*") return;
  same(target, again);
  must(again.path_and_query == origin_form, "the path is passed on as it came");

  http::Target tunnel;
  const std::string with_port = target.port == 80 ? authority + ":80" : authority;
  must(!http::parse_target(head_of(http::Method::connect, with_port, authority), tunnel),
       "the same authority can be had through CONNECT");
  same(target, tunnel);
}

void keeps_its_promises(http::Method method, std::string_view text) {
  http::Target target;
  const auto violation = http::parse_target(head_of(method, text, "example.com"), target);
  if (violation) {
    must(!violation->detail.empty(), "a refusal says why");
    must(violation->status == http::Status::bad_request || violation->status == http::Status::not_implemented,
         "a target is bad or of a scheme that is not forwarded");
    return;
  }
  must(text.find('@') == text.npos || text.find('@') > text.find_first_of("/?", sizeof "http://" - 1),
       "no user information");
  must(target.port != 0, "no port 0");
  is_unambiguous(target.host);
  if (method == http::Method::connect) {
    must(target.path_and_query.empty(), "CONNECT has no path");
    target.path_and_query = "/";
  }
  must(target.path_and_query.find('#') == std::string_view::npos, "no fragment");
  survives_writing(target, method == http::Method::connect ? http::Method::get : method);
}

/// A Host that is accepted is one that could have been the target, its port aside.
void host_is_held_to_its_rules(std::string_view text) {
  http::Target target;
  const auto violation = http::parse_target(head_of(http::Method::get, "http://example.com/", text), target);
  must(target.host.text == "example.com" || violation, "the target decides, not Host");
  if (violation) return;
  const std::string url = "http://" + std::string(text) + "/";
  must(!http::parse_target(head_of(http::Method::get, url, text), target), "a valid Host is a valid target");
}

}  // namespace

void is_unambiguous(const proxy::TargetHost& host) {
  must(!host.text.empty(), "a host has a name");
  if (host.address) {
    must(host.address->to_string() == host.text, "an address is written in its canonical form");
    return;
  }
  must(host.text.size() <= 253, "a name is at most 253 bytes long");
  for (const char c : host.text)
    must((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.',
         "a name has letters, digits, '-', '_' and dots only");
  in_addr guessed;
  must(inet_aton(host.text.c_str(), &guessed) == 0, "no name is what somebody could take for an address");
  proxy::TargetHost again;
  must(proxy::classify_host(host.text, again) == proxy::HostKind::name && again.text == host.text,
       "a name that was read is read again as itself");
  must(proxy::classify_host(host.text + ".", again) == proxy::HostKind::invalid || again.text == host.text,
       "a dot at the end makes no other host");
}

void request_target(std::string_view input) {
  if (may_be_target(input)) {
    keeps_its_promises(http::Method::get, input);
    keeps_its_promises(http::Method::options, input);
    keeps_its_promises(http::Method::connect, input);
  }
  host_is_held_to_its_rules(input);
}

}  // namespace payg::fuzz
