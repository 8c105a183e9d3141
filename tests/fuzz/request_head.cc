#include <algorithm>
#include <set>
#include <string>

#include "proxy/http/head.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/plain_http.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

struct Reading {
  http::ParseOutcome outcome;
  http::RequestHead head;
  std::string received;  // what the head's views lie in
};

void read(std::string_view input, const Arrival& arrival, Reading& out) {
  http::RequestParser parser;
  std::vector<char> received;
  for (const std::size_t there : arrival) {
    // Elsewhere than at the last call, and with nothing behind it.
    received = std::vector<char>(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(there));
    out.outcome = parser.parse({received.data(), received.size()}, out.head);
    if (out.outcome.state != http::ParseState::incomplete) break;
  }
  // The views are compared while their memory is there.
  out.received.clear();
  if (out.outcome.state != http::ParseState::complete) return;
  out.received = std::string(out.head.method_text) + ' ' + std::string(out.head.target) + ' ' +
                 (out.head.version == http::Version::http_1_0 ? "HTTP/1.0" : "HTTP/1.1") + "\r\n";
  for (const http::Field& field : out.head.fields)
    out.received += std::string(field.name) + ": " + std::string(field.value) + "\r\n";
  out.received += "\r\n";
}

bool is_request_line(const std::string& line) {
  const auto first = line.find(' ');
  const auto second = first == line.npos ? line.npos : line.find(' ', first + 1);
  if (second == line.npos) return false;
  const std::string method = line.substr(0, first);
  const std::string target = line.substr(first + 1, second - first - 1);
  const std::string version = line.substr(second + 1);
  if (!is_plain_token(method) || method.size() > 32) return false;
  if (target.empty() || target.size() > 8192) return false;
  for (const char c : target)
    if (c < '!' || c > '~') return false;
  return version.size() == 8 && version.starts_with("HTTP/1.") && version[7] >= '0' && version[7] <= '9';
}

/// How many names Connection lists that are not known to end here, or never to be taken out.
std::size_t listed_names(const PlainHead& head) {
  static const std::set<std::string> known{"connection",
                                           "content-length",
                                           "expect",
                                           "host",
                                           "keep-alive",
                                           "max-forwards",
                                           "proxy-authenticate",
                                           "proxy-authentication-info",
                                           "proxy-authorization",
                                           "proxy-connection",
                                           "te",
                                           "trailer",
                                           "transfer-encoding",
                                           "upgrade",
                                           "via",
                                           "close"};
  std::size_t count = 0;
  for (const PlainField& field : head.fields) {
    if (field.key != "connection") continue;
    for (const std::string& name : plain_list(field.value)) count += known.contains(name) ? 0 : 1;
  }
  return count;
}

/// The head that a strict reader finds, empty lines before it counted in its bytes.
std::optional<PlainHead> expected_head(std::string_view input) {
  std::size_t skipped = 0;
  while (skipped < 8 && input.substr(skipped, 2) == "\r\n") skipped += 2;
  auto head = read_plain_head(input.substr(skipped));
  if (!head || !is_request_line(head->start_line)) return std::nullopt;
  head->bytes += skipped;
  if (head->bytes > 64 * 1024 || head->fields.size() > 128 || listed_names(*head) > 32) return std::nullopt;
  return head;
}

void same_fields(const PlainHead& expected, const std::string& received) {
  const auto again = read_plain_head(received);
  must(again.has_value(), "an accepted head is one");
  must(again->fields == expected.fields, "the fields are those that were sent");
}

void refused_with_a_reason(const http::ParseOutcome& outcome) {
  const auto status = outcome.violation.status;
  must(!outcome.violation.detail.empty(), "a refusal says why");
  must(status == http::Status::bad_request || status == http::Status::uri_too_long ||
           status == http::Status::request_header_fields_too_large ||
           status == http::Status::not_implemented || status == http::Status::http_version_not_supported,
       "a refusal has one of the documented statuses");
}

void reads_the_same_again(const Reading& first) {
  Reading again;
  read(first.received, {first.received.size()}, again);
  // A head at the limit may grow beyond it by the blank behind each colon.
  if (first.received.size() > 64 * 1024) return;
  must(again.outcome.state == http::ParseState::complete, "what was read and written is read again");
  must(again.received == first.received, "what was read and written is the same");
}

}  // namespace

void request_head(std::string_view input) {
  static Reading whole, cut;
  read(input, {input.size()}, whole);
  const auto expected = expected_head(input);
  must((whole.outcome.state == http::ParseState::complete) == expected.has_value(),
       "a head is accepted when a strict reader accepts it, and only then");
  if (expected) {
    must(whole.outcome.consumed == expected->bytes, "a head ends where a strict reader sees its end");
    same_fields(*expected, whole.received);
    reads_the_same_again(whole);
  } else if (whole.outcome.state == http::ParseState::refused) {
    refused_with_a_reason(whole.outcome);
  }
  for (const Arrival& arrival : arrivals_of(input)) {
    read(input, arrival, cut);
    must(cut.outcome.state == whole.outcome.state, "the cut of the bytes makes no difference");
    must(cut.received == whole.received, "the cut of the bytes changes nothing in the head");
    must(cut.outcome.consumed == whole.outcome.consumed, "the cut of the bytes does not move the end");
    must(cut.outcome.violation.status == whole.outcome.violation.status &&
             cut.outcome.violation.detail == whole.outcome.violation.detail,
         "the cut of the bytes does not change the reason");
  }
}

}  // namespace payg::fuzz
