#include "proxy/http/connect_client.h"

#include <algorithm>
#include <utility>

#include "plugin/base/text.h"
#include "proxy/http/basic_credentials.h"

namespace payg::http {
namespace {

constexpr unsigned most_interim_answers = 8;

using V = ConnectVerdict;

/// The error types of RFC 9209 §2.3 that say where it went wrong.
constexpr std::pair<std::string_view, ConnectVerdict> proxy_errors[] = {
    {"dns_timeout", V::unresolved},
    {"dns_error", V::unresolved},
    {"destination_not_found", V::unresolved},
    {"destination_unavailable", V::not_served},
    {"destination_ip_prohibited", V::forbidden},
    {"destination_ip_unroutable", V::unreachable},
    {"connection_refused", V::refused},
    {"connection_terminated", V::unreachable},
    {"connection_timeout", V::timed_out},
    {"connection_limit_reached", V::not_served},
    {"proxy_internal_error", V::not_served},
    {"proxy_configuration_error", V::not_served},
};

/// The value of the first member's parameter `error`; empty: it has none.
std::string_view error_type(std::string_view proxy_status) {
  std::string_view member = proxy_status.substr(0, proxy_status.find(','));
  for (auto semicolon = member.find(';'); semicolon != member.npos; semicolon = member.find(';')) {
    member.remove_prefix(semicolon + 1);
    const std::string_view parameter = trim_ows(member.substr(0, member.find(';')));
    constexpr std::string_view error = "error=";
    if (parameter.starts_with(error)) return parameter.substr(error.size());
  }
  return {};
}

std::string_view proxy_status_of(const Fields& fields) {
  const auto* found = std::find_if(fields.begin(), fields.end(), [](const Field& field) {
    return equal_ignoring_case(field.name, "proxy-status");
  });
  return found == fields.end() ? std::string_view() : found->value;
}

ParseOutcome refused(std::string_view detail) {
  return {.state = ParseState::refused,
          .consumed = 0,
          .violation = {.status = Status::bad_gateway, .detail = detail}};
}

}  // namespace

void append_connect_request(std::string& out, const ConnectRequest& request) {
  out.append("CONNECT ").append(request.authority).append(" HTTP/1.1\r\n");
  out.append("Host: ").append(request.authority).append("\r\n");
  if (!request.username.empty()) {
    out.append("Proxy-Authorization: ");
    append_basic_credentials(out, request.username, request.password);
    out.append("\r\n");
  }
  out.append("Via: ");
  if (!request.received_via.empty()) out.append(request.received_via).append(", ");
  out.append("1.1 ").append(request.pseudonym).append("\r\n\r\n");
}

ConnectVerdict judge_connect(unsigned status, std::string_view proxy_status) noexcept {
  if (status >= 200 && status < 300) return V::open;
  const std::string_view error = error_type(proxy_status);
  if (error == "proxy_loop_detected") return V::not_served;  // it leads back to this proxy
  switch (status) {
    case 403: return V::forbidden;
    case 407: return V::wants_credentials;
    case 401:
    case 402:
    case 429: return V::not_served;
    default: break;
  }
  for (const auto& [name, verdict] : proxy_errors)
    if (error == name) return verdict;
  // Proxies differ in what they say of a target that they cannot reach: 502, 503 (Squid), 500 (tinyproxy),
  // 404.
  if (status == 504) return V::timed_out;
  if (status == 404) return V::unresolved;
  return status >= 500 ? V::unreachable : V::not_served;
}

ParseOutcome ConnectAnswerParser::parse(std::string_view buffered, ConnectAnswer& out) noexcept {
  for (;;) {
    ResponseHead head;
    const auto outcome = parser_.parse(buffered.substr(skipped_), head);
    const bool is_whole = outcome.state == ParseState::complete;
    const std::size_t read = skipped_ + (is_whole ? outcome.consumed : buffered.size() - skipped_);
    if (outcome.state != ParseState::refused && read > max_connect_answer_bytes)
      return refused("the answer's head is too long");
    if (!is_whole) return outcome;
    skipped_ = read;
    if (head.status == 101) return refused("101 answers no CONNECT");
    if (head.status < 200) {
      if (++interim_ > most_interim_answers) return refused("too many interim answers");
      continue;
    }
    out = {.status = head.status, .verdict = judge_connect(head.status, proxy_status_of(head.fields))};
    return {.state = ParseState::complete, .consumed = skipped_, .violation = {}};
  }
}

}  // namespace payg::http
