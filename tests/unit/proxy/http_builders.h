#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "proxy/http/head.h"

namespace payg::test {

/// A head that was parsed from text of its own. Fails the test when the text is no head.
template <class Head, class Parser>
class ParsedHead {
 public:
  explicit ParsedHead(std::string_view text) : text_(std::make_unique<std::string>(text)) {
    const auto outcome = Parser().parse(*text_, *head_);
    EXPECT_EQ(outcome.state, http::ParseState::complete) << outcome.violation.detail << " in " << text;
  }
  const Head& operator*() const { return *head_; }
  const Head* operator->() const { return head_.get(); }

 private:
  std::unique_ptr<std::string> text_;
  std::unique_ptr<Head> head_ = std::make_unique<Head>();
};

using ParsedRequest = ParsedHead<http::RequestHead, http::RequestParser>;
using ParsedResponse = ParsedHead<http::ResponseHead, http::ResponseParser>;

/// "GET http://example.com/ HTTP/1.1" with a Host and these lines, each with its CRLF.
inline ParsedRequest request_with(std::string_view lines) {
  return ParsedRequest("GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n" + std::string(lines) +
                       "\r\n");
}

inline ParsedResponse response_with(std::string_view lines) {
  return ParsedResponse("HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n");
}

}  // namespace payg::test
