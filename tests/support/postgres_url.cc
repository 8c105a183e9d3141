#include "tests/support/postgres_url.h"

#include <libpq-fe.h>

#include <stdexcept>
#include <string_view>

namespace payg::test {

std::string percent_encoded(const std::string& text) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return encoded;
}

PostgresUrl PostgresUrl::parse(const std::string& url) {
  PQconninfoOption* const options = PQconninfoParse(url.c_str(), nullptr);
  if (options == nullptr) throw std::runtime_error("not a connection URL");
  PostgresUrl parsed;
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "host") parsed.host = option->val;
    if (keyword == "port") parsed.port = option->val;
    if (keyword == "user") parsed.user = option->val;
    if (keyword == "dbname") parsed.database = option->val;
  }
  PQconninfoFree(options);
  return parsed;
}

std::string PostgresUrl::to_string() const {
  return "postgresql://?host=" + percent_encoded(host) + "&port=" + port + "&user=" + percent_encoded(user) +
         "&dbname=" + percent_encoded(database);
}

}  // namespace payg::test
