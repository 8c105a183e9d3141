// A client's whole stream, as the proxy forwards it, read by a strict origin: what the origin takes for
// messages must be what the proxy took for messages, or somebody smuggles requests.

#include <array>
#include <set>
#include <string>
#include <vector>

#include "proxy/http/chunked_decoder.h"
#include "proxy/http/framing.h"
#include "proxy/http/head.h"
#include "proxy/http/rewrite.h"
#include "proxy/http/target.h"
#include "tests/fuzz/plain_http.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

constexpr std::string_view pseudonym = "payg-fuzz";

struct Forwarded {
  PlainHead received;
  std::string method;
  std::string host;  // as Host has it
  http::BodyFraming::Kind framing{};
  http::UpgradeHandling upgrade{};
  http::Version version{};
  std::string body;  // what the proxy took for it
};

enum class After { next_message, nothing };

/// Takes the body off the front of `rest` and appends it as it is sent on. False: cut short or malformed, so
/// that the connection ends here.
bool forward_body(std::string_view& rest, const http::BodyFraming& framing, Forwarded& message,
                  std::string& out) {
  using Kind = http::BodyFraming::Kind;
  if (framing.kind == Kind::none) return true;
  if (framing.kind == Kind::length) {
    if (framing.length > rest.size()) return false;
    message.body = rest.substr(0, framing.length);
    out += message.body;
    rest.remove_prefix(framing.length);
    return true;
  }
  must(framing.kind == Kind::chunked, "a request's body does not end with its connection");
  http::ChunkedDecoder decoder;
  for (;;) {
    const auto step = decoder.decode(rest);
    rest.remove_prefix(step.consumed);
    switch (step.event) {
      case http::ChunkedDecoder::Event::data: {
        std::array<char, 18> line;
        message.body += step.data;
        out.append(http::chunk_head(step.data.size(), line)).append(step.data).append(http::chunk_end);
        break;
      }
      case http::ChunkedDecoder::Event::end: out += http::last_chunk; return true;
      case http::ChunkedDecoder::Event::need_more:
      case http::ChunkedDecoder::Event::error: return false;
    }
  }
}

/// One message from the front of `rest`, appended to `out` as the origin gets it.
After forward_one(std::string_view& rest, std::vector<Forwarded>& messages, std::string& out) {
  static http::RequestHead head;
  http::RequestParser parser;
  const auto outcome = parser.parse(rest, head);
  if (outcome.state != http::ParseState::complete) return After::nothing;
  const auto framing = http::request_framing(head);
  http::Target target;
  if (!framing.ok() || http::parse_target(head, target)) return After::nothing;
  if (http::has_via(head.fields, pseudonym) || head.method == http::Method::connect) return After::nothing;

  auto received = read_plain_head(rest.substr(rest.find_first_not_of("\r\n")));
  must(received.has_value(), "a strict reader accepts what is forwarded");
  Forwarded message{
      .received = std::move(*received),
      .method = std::string(head.method_text),
      .host = {},
      .framing = framing->kind,
      .upgrade = http::wants_upgrade(head) ? http::UpgradeHandling::pass_on : http::UpgradeHandling::strip,
      .version = head.version,
      .body = {}};
  http::append_host(message.host, target);
  std::string bytes;
  http::append_request_head(
      bytes, head,
      {.target = target, .framing = *framing, .pseudonym = pseudonym, .upgrade = message.upgrade});
  const bool keep = http::allows_keep_alive(head);
  rest.remove_prefix(outcome.consumed);
  if (!forward_body(rest, *framing, message, bytes)) return After::nothing;
  messages.push_back(std::move(message));
  out += bytes;
  return keep && messages.back().upgrade == http::UpgradeHandling::strip ? After::next_message
                                                                         : After::nothing;
}

const std::set<std::string>& never_forwarded() {
  static const std::set<std::string> names{"proxy-authorization",
                                           "proxy-authenticate",
                                           "proxy-authentication-info",
                                           "proxy-connection",
                                           "keep-alive",
                                           "te",
                                           "trailer"};
  return names;
}

/// What ends at the proxy because Connection lists it: nothing that decides framing or routing.
std::set<std::string> listed(const PlainHead& received) {
  std::set<std::string> names;
  for (const PlainField& field : received.fields) {
    if (field.key != "connection") continue;
    for (const std::string& name : plain_list(field.value)) names.insert(name);
  }
  for (const auto* kept : {"host", "content-length", "transfer-encoding", "via", "expect", "max-forwards"})
    names.erase(kept);
  return names;
}

std::vector<PlainField> fields_to_pass(const Forwarded& message) {
  static const std::set<std::string> rewritten{
      "connection", "host", "content-length", "transfer-encoding", "expect", "max-forwards", "upgrade"};
  std::vector<PlainField> fields;
  const auto ends_here = listed(message.received);
  for (const PlainField& field : message.received.fields) {
    if (rewritten.contains(field.key) || never_forwarded().contains(field.key)) continue;
    if (!ends_here.contains(field.key)) fields.push_back(field);
  }
  fields.push_back(
      {.name = "Via",
       .key = "via",
       .value = (message.version == http::Version::http_1_0 ? "1.0 " : "1.1 ") + std::string(pseudonym)});
  return fields;
}

std::vector<PlainField> fields_passed(const PlainHead& sent) {
  static const std::set<std::string> judged_apart{
      "connection", "host", "content-length", "transfer-encoding", "expect", "max-forwards", "upgrade"};
  std::vector<PlainField> fields;
  for (const PlainField& field : sent.fields)
    if (!judged_apart.contains(field.key)) fields.push_back(field);
  return fields;
}

void is_as_an_origin_wants_it(const PlainHead& sent, const Forwarded& message) {
  must(
      sent.start_line.starts_with(message.method + " /") || sent.start_line == message.method + " * HTTP/1.1",
      "an origin gets the origin-form");
  must(sent.start_line.ends_with(" HTTP/1.1"), "an origin is spoken to in HTTP/1.1");
  must(sent.count("host") == 1 && sent.value_of("host") == message.host, "Host is the target's, and once");
  for (const PlainField& field : sent.fields)
    must(!never_forwarded().contains(field.key), "what is between client and proxy stays there");
  const bool upgrades = message.upgrade == http::UpgradeHandling::pass_on;
  must(sent.count("connection") == (upgrades ? 1u : 0u), "Connection is the proxy's own");
  must(upgrades || sent.count("upgrade") == 0, "Upgrade is passed on when it can be honoured only");
  must(message.version == http::Version::http_1_1 || sent.count("expect") == 0,
       "HTTP/1.0 has no Expect to pass on");
  must(fields_passed(sent) == fields_to_pass(message), "everything else is passed on as it came, in order");
}

/// Reads what was sent as an origin does.
void is_understood_alike(std::string_view sent, const std::vector<Forwarded>& messages) {
  for (const Forwarded& message : messages) {
    const auto head = read_plain_head(sent);
    must(head.has_value(), "what is forwarded is a head");
    is_as_an_origin_wants_it(*head, message);
    const auto extent = plain_extent_of(*head);
    must(extent.has_value(), "one framing, and no doubt about it");
    sent.remove_prefix(head->bytes);
    const auto body = read_plain_body(sent, extent->framing, extent->length);
    must(body.has_value() && body->content == message.body, "the origin sees the same body");
    sent.remove_prefix(body->bytes);
  }
  must(sent.empty(), "the origin sees no request that the proxy did not see");
}

void is_a_loop_when_it_comes_back(const std::string& sent) {
  static http::RequestHead head;
  const auto outcome = http::RequestParser().parse(sent, head);
  // With the fields that are added it may be too large by now.
  if (outcome.state != http::ParseState::complete) return;
  must(http::has_via(head.fields, pseudonym), "a request that comes back is known");
  http::Target target;
  must(http::parse_target(head, target).has_value(), "a proxy does not take the origin-form");
}

}  // namespace

void request_stream(std::string_view input) {
  std::vector<Forwarded> messages;
  std::string sent;
  while (forward_one(input, messages, sent) == After::next_message) {
  }
  is_understood_alike(sent, messages);
  if (!messages.empty()) is_a_loop_when_it_comes_back(sent);
}

}  // namespace payg::fuzz
