// What an origin answers, as the proxy passes it on, read by a strict client: the same response with the same
// body, its end in one place only, and never a whole one made out of one that was cut short.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "proxy/http/chunked_decoder.h"
#include "proxy/http/framing.h"
#include "proxy/http/head.h"
#include "proxy/http/rewrite.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/plain_http.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

using Kind = http::BodyFraming::Kind;

constexpr unsigned most_interim_responses = 32;

struct Passed {
  std::string sent;
  std::size_t interim = 0;
  bool has_final = false;
  unsigned status = 0;
  Kind framing{};
  bool whole = false;  // the origin's response was
  std::string body;
};

void pass_chunk(std::string_view data, const http::BodyFraming& out, Passed& passed) {
  if (data.empty()) return;
  std::array<char, 18> line;
  passed.body += data;
  const bool chunked = out.kind == Kind::chunked;
  if (chunked) passed.sent += http::chunk_head(data.size(), line);
  passed.sent += data;
  if (chunked) passed.sent += http::chunk_end;
}

void pass_chunked_body(std::string_view rest, const http::BodyFraming& out, Passed& passed) {
  http::ChunkedDecoder decoder;
  for (;;) {
    const auto step = decoder.decode(rest);
    rest.remove_prefix(step.consumed);
    pass_chunk(step.data, out, passed);
    if (step.event == http::ChunkedDecoder::Event::data) continue;
    passed.whole = step.event == http::ChunkedDecoder::Event::end;
    if (passed.whole && out.kind == Kind::chunked) passed.sent += http::last_chunk;
    return;
  }
}

void pass_body(std::string_view rest, const http::BodyFraming& in, const http::BodyFraming& out,
               Passed& passed) {
  switch (in.kind) {
    case Kind::none: passed.whole = true; return;
    case Kind::length:
      passed.body = rest.substr(0, in.length);
      passed.sent += passed.body;
      passed.whole = passed.body.size() == in.length;
      return;
    case Kind::chunked: pass_chunked_body(rest, out, passed); return;
    case Kind::until_close:
      pass_chunk(rest, out, passed);
      if (out.kind == Kind::chunked) passed.sent += http::last_chunk;
      passed.whole = true;
      return;
  }
}

Passed pass_on(std::string_view input, http::Method method, http::Version client) {
  static http::ResponseHead head;
  Passed passed;
  for (;;) {
    const auto outcome = http::ResponseParser().parse(input, head);
    if (outcome.state != http::ParseState::complete) return passed;
    input.remove_prefix(outcome.consumed);
    if (head.status >= 200) break;
    if (head.status == 101 || ++passed.interim > most_interim_responses) return passed;
    if (client == http::Version::http_1_1)
      http::append_response_head(
          passed.sent, head,
          {.request_method = method, .client_version = client, .framing = {}, .pseudonym = "payg-fuzz"});
  }
  const auto framing = http::response_framing(head, method);
  if (!framing.ok()) return passed;
  const auto out = http::framing_for_client(*framing, client);
  const bool closes = out.kind == Kind::until_close;
  http::append_response_head(
      passed.sent, head,
      {.request_method = method,
       .client_version = client,
       .framing = out,
       .pseudonym = "payg-fuzz",
       .persistence = closes ? http::Persistence::close : http::Persistence::keep_alive});
  passed.has_final = true;
  passed.status = head.status;
  passed.framing = out.kind;
  pass_body(input, *framing, out, passed);
  return passed;
}

void head_is_clean(const PlainHead& head, unsigned status) {
  must(head.start_line.starts_with("HTTP/1.1 " + std::to_string(status) + " "), "the status is the origin's");
  for (const auto* name : {"proxy-authenticate", "proxy-connection", "keep-alive", "te", "trailer", "upgrade",
                           "proxy-authorization", "proxy-authentication-info"})
    must(head.count(name) == 0, "what is between proxy and origin stays there");
  must(head.count("via") >= 1, "the proxy names itself");
  must(plain_extent_of(head).has_value(), "one framing, and no doubt about it");
}

bool has_body(unsigned status, http::Method method) {
  return method != http::Method::head && status != 204 && status != 304;
}

void final_is_understood_alike(std::string_view sent, const Passed& passed, http::Method method,
                               http::Version client) {
  const auto head = read_plain_head(sent);
  must(head.has_value(), "what is passed on is a head");
  head_is_clean(*head, passed.status);
  auto extent = *plain_extent_of(*head);
  must(client == http::Version::http_1_1 || extent.framing != PlainFraming::chunked,
       "an HTTP/1.0 client gets no chunks");
  if (!has_body(passed.status, method)) {
    must(sent.size() == head->bytes, "no body where there is none");
    return;
  }
  if (extent.framing == PlainFraming::none) extent.framing = PlainFraming::until_close;
  const bool ends_with_connection = extent.framing == PlainFraming::until_close;
  must(ends_with_connection == (passed.framing == Kind::until_close), "the end is told as it was decided");
  must(!ends_with_connection || plain_list(head->value_of("connection")) == std::vector<std::string>{"close"},
       "a body that ends with the connection says so");
  sent.remove_prefix(head->bytes);
  const auto body = read_plain_body(sent, extent.framing, extent.length);
  if (!ends_with_connection)
    must(body.has_value() == passed.whole, "what was cut short does not look whole, and what is whole does");
  if (body) {
    must(body->content == passed.body, "the client sees the same body");
    must(body->bytes == sent.size(), "nothing stands behind the response");
  }
}

void is_understood_alike(const Passed& passed, http::Method method, http::Version client) {
  std::string_view sent = passed.sent;
  const std::size_t interim = client == http::Version::http_1_1 ? passed.interim : 0;
  for (std::size_t i = 0; i < interim && i < most_interim_responses; ++i) {
    const auto head = read_plain_head(sent);
    must(head.has_value() && head->start_line.starts_with("HTTP/1.1 1"), "an interim response is one");
    must(head->count("content-length") + head->count("transfer-encoding") + head->count("connection") == 0,
         "an interim response frames nothing");
    sent.remove_prefix(head->bytes);
  }
  if (passed.has_final) return final_is_understood_alike(sent, passed, method, client);
  must(sent.empty() || interim > most_interim_responses, "nothing of a response that is refused gets out");
}

http::ParseOutcome parse_arriving(std::string_view input, const Arrival& arrival, http::ResponseHead& head) {
  http::ResponseParser parser;
  http::ParseOutcome outcome;
  std::vector<char> received;
  for (const std::size_t there : arrival) {
    received = std::vector<char>(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(there));
    outcome = parser.parse({received.data(), received.size()}, head);
    if (outcome.state != http::ParseState::incomplete) break;
  }
  return outcome;
}

void the_cut_makes_no_difference(std::string_view input) {
  static http::ResponseHead whole_head, cut_head;
  const auto whole = parse_arriving(input, {input.size()}, whole_head);
  if (whole.state == http::ParseState::refused)
    must(!whole.violation.detail.empty() && whole.violation.status == http::Status::bad_gateway,
         "a refused response says why, and is a bad gateway");
  for (const Arrival& arrival : arrivals_of(input)) {
    const auto cut = parse_arriving(input, arrival, cut_head);
    must(cut.state == whole.state && cut.consumed == whole.consumed &&
             cut.violation.detail == whole.violation.detail,
         "the cut of the bytes makes no difference");
    if (cut.state != http::ParseState::complete) continue;
    must(cut_head.status == whole_head.status && cut_head.version == whole_head.version &&
             cut_head.fields.size() == whole_head.fields.size(),
         "the cut of the bytes changes nothing in the head");
  }
}

}  // namespace

void response_stream(std::string_view input) {
  the_cut_makes_no_difference(input);
  for (const auto method : {http::Method::get, http::Method::head, http::Method::post})
    for (const auto client : {http::Version::http_1_0, http::Version::http_1_1})
      is_understood_alike(pass_on(input, method, client), method, client);
}

}  // namespace payg::fuzz
