#pragma once

#include <string>
#include <utility>
#include <vector>

#include "billing/admin/url_text.h"

namespace payg::billing {

/// What a client asked, copied out of evhttp so that it can go to another thread.
struct Request {
  std::string method;  ///< "GET", …; "?" for one that evhttp does not know
  std::string path;    ///< as sent, still percent-encoded
  Query query;         ///< decoded, and text; see url_text.h
  std::string body;

  // The header fields that anything here looks at; empty: not sent.
  std::string host;
  std::string origin;
  std::string fetch_site;  ///< Sec-Fetch-Site
  std::string authorization;
  std::string accept;
  std::string idempotency_key;
};

/// What is answered.
struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::string log_line{};  ///< for the operator, not sent; empty: nothing to say
};

/// The largest body that any call takes; more is refused as 413.
inline constexpr std::size_t max_body_bytes = 65'536;

}  // namespace payg::billing
