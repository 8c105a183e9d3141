#pragma once

#include <string_view>

/// One function for every parser that reads what a stranger sent. Each takes any bytes, gives them to the
/// parser as the product does, and holds the result to its promises: must() of promise.h ends the program
/// when one is broken. None keeps anything between two calls.
namespace payg::fuzz {

// proxy/http
void request_head(std::string_view input);
void request_stream(std::string_view input);
void response_stream(std::string_view input);
void request_target(std::string_view input);
void chunked_body(std::string_view input);
void basic_credentials(std::string_view input);
void refusal(std::string_view input);
// proxy/socks
void socks5(std::string_view input);
// proxy/socks, proxy/http: the client's side
void parent_answer(std::string_view input);
// proxy
void proxy_header(std::string_view input);
// billing/core
void user_name(std::string_view input);
void amounts(std::string_view input);
// billing/spool
void spool_line(std::string_view input);
// billing/admin
void api_body(std::string_view input);
void url_text(std::string_view input);
void written_text(std::string_view input);
// plugin/base, config
void addresses(std::string_view input);
void times(std::string_view input);
void config_file(std::string_view input);

}  // namespace payg::fuzz
