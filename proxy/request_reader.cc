#include "proxy/request_reader.h"

#include <utility>

#include "proxy/worker.h"

namespace payg::proxy {
namespace {

constexpr std::size_t head_read_bytes = 4096;

}  // namespace

RequestReader::Outcome RequestReader::read(Socket& client) {
  for (;;) {
    if (!received_.empty()) {
      scratch_.owner = nullptr;
      const auto outcome = parser_.parse(received_.view(), scratch_.request);
      if (outcome.state == http::ParseState::refused) {
        violation_ = outcome.violation;
        return Outcome::refused;
      }
      if (outcome.state == http::ParseState::complete) {
        scratch_.owner = this;
        head_bytes_ = outcome.consumed;
        return Outcome::complete;
      }
    }
    if (!client.readable()) return Outcome::incomplete;
    const auto got = client.read(received_.writable(head_read_bytes));
    if (got.outcome == Socket::Outcome::blocked) {
      if (received_.empty()) received_.clear();
      return Outcome::incomplete;
    }
    if (got.outcome != Socket::Outcome::some) return Outcome::ended;
    received_.commit(got.count);
  }
}

const http::RequestHead& RequestReader::head() {
  if (scratch_.owner != this) {
    http::RequestParser again;
    static_cast<void>(again.parse(received_.view(), scratch_.request));
    scratch_.owner = this;
  }
  return scratch_.request;
}

void RequestReader::forget_head() noexcept {
  let_go_of_scratch();
  received_.consume(std::exchange(head_bytes_, 0));
}

void RequestReader::let_go_of_scratch() noexcept {
  if (scratch_.owner == this) scratch_.owner = nullptr;
}

}  // namespace payg::proxy
