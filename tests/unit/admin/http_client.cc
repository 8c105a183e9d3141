#include "tests/unit/admin/http_client.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <stdexcept>

#include "plugin/base/text.h"
#include "plugin/base/unique_fd.h"

namespace payg::test {
namespace {

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* answer) {
  static_cast<Answer*>(answer)->body.append(data, size * count);
  return size * count;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* answer) {
  const std::string line(data, size * count);
  const auto colon = line.find(':');
  if (colon != std::string::npos) {
    const std::string value = line.substr(colon + 1, line.find_last_not_of("\r\n") - colon);
    static_cast<Answer*>(answer)->headers[ascii_lower(line.substr(0, colon))] = trim_ows(value);
  }
  return size * count;
}

UniqueFd connect_to(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{.tv_sec = 30, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("no connection to the admin port");
  return fd;
}

void send_all(const UniqueFd& fd, const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(fd.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

bool is_complete(const std::string& answer) {
  const auto head = answer.find("\r\n\r\n");
  const auto field = answer.find("Content-Length: ");
  if (head == std::string::npos || field == std::string::npos || field > head) return false;
  return answer.size() >= head + 4 + std::stoul(answer.substr(field + 16));
}

}  // namespace

nlohmann::json Answer::json() const {
  return nlohmann::json::parse(body);
}

std::string Answer::code() const {
  return json().at("code").get<std::string>();
}

Answer ask_port(std::uint16_t port, const Asked& asked) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  Answer answer;
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + asked.path;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  if (!asked.socket.empty()) curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, asked.socket.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl.get(), CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl.get(), CURLOPT_HEADERDATA, &answer);
  if (asked.body) {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(asked.body->size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, asked.body->c_str());
  }
  if (asked.method == "HEAD")
    curl_easy_setopt(curl.get(), CURLOPT_NOBODY, 1L);
  else
    curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, asked.method.c_str());
  curl_slist* headers = nullptr;
  for (const std::string& header : asked.headers) headers = curl_slist_append(headers, header.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers);
  long status = 0;
  curl_easy_perform(curl.get());
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  curl_slist_free_all(headers);
  return answer;
}

std::string send_bytes(std::uint16_t port, const std::string& bytes) {
  const UniqueFd fd = connect_to(port);
  send_all(fd, bytes);
  std::string answer;
  char buffer[4096];
  while (!is_complete(answer)) {
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n <= 0) break;
    answer.append(buffer, static_cast<std::size_t>(n));
  }
  return answer;
}

UniqueFd send_only(std::uint16_t port, const std::string& bytes) {
  UniqueFd fd = connect_to(port);
  send_all(fd, bytes);
  return fd;
}

}  // namespace payg::test
