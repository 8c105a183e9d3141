// curl, by every kind of proxy that it knows.

#include "tests/foreign/client.h"
#include "tests/foreign/programs.h"

namespace payg::test {

std::string credentials(const Account& account) {
  return account.name + ":" + account.token;
}

namespace {

using Scheme = ForeignOrigin::Scheme;
using Host = ForeignOrigin::Host;

ProgramCall curl(const Errand& errand, const std::string& kind, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{curl_program,
                                     "-qsS",
                                     "-o",
                                     errand.file,
                                     "-w",
                                     "answer %{http_code}\n",
                                     "--cacert",
                                     errand.certificate.path,
                                     "--proxy-cacert",
                                     errand.certificate.path,
                                     "-x",
                                     kind + "://" + credentials(errand.account) + "@" + errand.proxy};
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.push_back(errand.url);
  return ProgramCall{.arguments = arguments, .environment = {}, .working_folder = {}, .open_files = {}};
}

ProgramCall http(const Errand& errand) {
  return curl(errand, "http");
}
ProgramCall http_tunnel(const Errand& errand) {
  return curl(errand, "http", {"-p"});
}
ProgramCall http_2(const Errand& errand) {
  return curl(errand, "http", {"--http2"});
}
ProgramCall https(const Errand& errand) {
  return curl(errand, "https");
}
ProgramCall https_tunnel(const Errand& errand) {
  return curl(errand, "https", {"-p"});
}
ProgramCall https_2(const Errand& errand) {
  return curl(errand, "https", {"--http2"});
}
ProgramCall behind_balancer(const Errand& errand) {
  return curl(errand, "http", {"--haproxy-protocol"});
}
ProgramCall socks5(const Errand& errand) {
  return curl(errand, "socks5");
}
ProgramCall socks5h(const Errand& errand) {
  return curl(errand, "socks5h");
}

constexpr const char* tunnel_402 = "CONNECT tunnel failed, response 402";
constexpr const char* tunnel_407 = "CONNECT tunnel failed, response 407";
constexpr const char* tunnel_503 = "CONNECT tunnel failed, response 503";
constexpr const char* socks_refused = ". (2)\n";
constexpr const char* socks_unavailable = ". (4)\n";
constexpr const char* socks_rejected = "User was rejected by the SOCKS5 server";
constexpr const char* reset = "Connection reset by peer";

}  // namespace

std::vector<Client> curl_clients() {
  return {
      {"curl_http", Scheme::http, http, Host::by_name, "answer 402", "answer 407", "answer 503", reset},
      {"curl_http_tunnel", Scheme::http, http_tunnel, Host::by_name, tunnel_402, tunnel_407, tunnel_503,
       reset},
      {"curl_http_to_https", Scheme::https, http, Host::by_name, tunnel_402, tunnel_407, tunnel_503, reset},
      {"curl_http_to_http2", Scheme::https, http_2, Host::v6, tunnel_402, tunnel_407, tunnel_503, reset},
      {"curl_https", Scheme::http, https, Host::by_name, "answer 402", "answer 407", "answer 503", reset,
       Door::tls},
      {"curl_https_tunnel", Scheme::http, https_tunnel, Host::by_name, tunnel_402, tunnel_407, tunnel_503,
       reset, Door::tls},
      {"curl_https_to_https", Scheme::https, https, Host::by_name, tunnel_402, tunnel_407, tunnel_503, reset,
       Door::tls},
      {"curl_https_to_http2", Scheme::https, https_2, Host::v6, tunnel_402, tunnel_407, tunnel_503, reset,
       Door::tls},
      {"curl_behind_a_balancer", Scheme::http, behind_balancer, Host::by_name, "answer 402", "answer 407",
       "answer 503", reset, Door::proxy_protocol},
      {"curl_socks5", Scheme::http, socks5, Host::v6, socks_refused, socks_rejected, socks_unavailable,
       reset},
      {"curl_socks5h", Scheme::http, socks5h, Host::by_name, socks_refused, socks_rejected, socks_unavailable,
       reset},
      {"curl_socks5_to_https", Scheme::https, socks5, Host::v4, socks_refused, socks_rejected,
       socks_unavailable, reset},
      {"curl_socks5h_to_https", Scheme::https, socks5h, Host::by_name, socks_refused, socks_rejected,
       socks_unavailable, reset},
  };
}

}  // namespace payg::test
