// What a parent proxy answers: the input is read as the answer to a CONNECT, and as all that a SOCKS5 server
// says.

#include <algorithm>
#include <string>

#include "proxy/http/connect_client.h"
#include "proxy/socks/socks5_client.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/targets.h"

namespace payg::fuzz {
namespace {

/// What came of an answer, to compare.
struct Outcome {
  int state = 0;  ///< 0: more is needed, 1: complete, 2: refused
  std::size_t consumed = 0;
  unsigned meaning = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome read_connect_answer(std::string_view input, const Arrival& arrival) {
  http::ConnectAnswerParser parser;
  for (const std::size_t there : arrival) {
    http::ConnectAnswer answer;
    // In memory of its own, so that a look beside it is seen.
    const std::string bytes(input.substr(0, there));
    const auto outcome = parser.parse(bytes, answer);
    if (outcome.state == http::ParseState::incomplete) {
      must(there <= http::max_connect_answer_bytes, "no answer is waited for beyond its limit");
      continue;
    }
    if (outcome.state == http::ParseState::refused) return {.state = 2, .consumed = 0, .meaning = 0};
    must(outcome.consumed <= there, "nothing is consumed that has not come");
    must(outcome.consumed <= http::max_connect_answer_bytes, "no answer is longer than its limit");
    must(input.substr(0, outcome.consumed).ends_with("\r\n\r\n"), "an answer ends with an empty line");
    must(answer.status >= 200 && answer.status < 600, "interim answers are skipped");
    must((answer.verdict == http::ConnectVerdict::open) == (answer.status < 300),
         "a way is open by a success, and only by that");
    return {.state = 1, .consumed = outcome.consumed, .meaning = answer.status};
  }
  return {};
}

/// As ParentTalk does: method, credentials where they are wanted, reply.
Outcome read_socks_answers(std::string_view input, const Arrival& arrival) {
  enum class Step { method, credentials, reply } step = Step::method;
  std::size_t consumed = 0;
  for (const std::size_t there : arrival) {
    for (bool more = true; more;) {
      const std::string bytes(input.substr(consumed, there - consumed));
      auto method = socks::Method::unacceptable;
      auto status = socks::CredentialsStatus::failure;
      std::uint8_t code = 0xff;
      socks::ServerAnswer answer;
      switch (step) {
        case Step::method: answer = socks::parse_method(bytes, socks::HasCredentials::yes, method); break;
        case Step::credentials: answer = socks::parse_credentials_status(bytes, status); break;
        case Step::reply: answer = socks::parse_reply(bytes, code); break;
      }
      if (answer.state == socks::ParseState::refused) return {.state = 2, .consumed = 0, .meaning = 0};
      more = answer.state == socks::ParseState::complete;
      if (!more) {
        must(bytes.size() < 6 + 256, "no answer is longer than SOCKS5 has them");
        break;
      }
      must(answer.consumed >= 2 && answer.consumed <= bytes.size(), "an answer is what has come");
      consumed += answer.consumed;
      if (step == Step::reply) return {.state = 1, .consumed = consumed, .meaning = code};
      if (step == Step::credentials && status == socks::CredentialsStatus::failure)
        return {.state = 1, .consumed = consumed, .meaning = 0x100};
      if (step == Step::method && method == socks::Method::unacceptable)
        return {.state = 1, .consumed = consumed, .meaning = 0x101};
      step = step == Step::method && method == socks::Method::user_name_password ? Step::credentials
                                                                                 : Step::reply;
    }
  }
  return {};
}

}  // namespace

void parent_answer(std::string_view input) {
  const auto arrivals = arrivals_of(input);
  const Outcome connect = read_connect_answer(input, arrivals.front());
  const Outcome socks = read_socks_answers(input, arrivals.front());
  for (const Arrival& arrival : arrivals) {
    must(read_connect_answer(input, arrival) == connect, "an answer is the same however it is cut");
    must(read_socks_answers(input, arrival) == socks, "SOCKS5 says the same however it is cut");
  }
}

}  // namespace payg::fuzz
