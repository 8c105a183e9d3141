// Libraries, as a script of each language uses them.

#include "tests/foreign/client.h"
#include "tests/foreign/programs.h"

namespace payg::test {
namespace {

using Scheme = ForeignOrigin::Scheme;
using Host = ForeignOrigin::Host;

std::string proxy_url(const Errand& errand, const char* kind) {
  return std::string(kind) + "://" + credentials(errand.account) + "@" + errand.proxy;
}

ProgramCall script(const char* interpreter, const char* file, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(),
                   {interpreter, source_file(std::string("tests/foreign/clients/") + file)});
  return ProgramCall{.arguments = std::move(arguments),
                     .environment = {node_path()},
                     .working_folder = {},
                     .open_files = {}};
}

ProgramCall urllib(const Errand& errand) {
  return script(python_program, "urllib_get.py",
                {proxy_url(errand, "http"), errand.certificate.path, errand.url, errand.file});
}

ProgramCall asyncio(const Errand& errand, const char* kind) {
  return script(
      python_program, "asyncio_get.py",
      {kind, errand.proxy, credentials(errand.account), errand.certificate.path, errand.url, errand.file});
}

ProgramCall asyncio_http(const Errand& errand) {
  return asyncio(errand, "http");
}
ProgramCall asyncio_https(const Errand& errand) {
  return asyncio(errand, "https");
}

ProgramCall node(const Errand& errand, const char* package, const char* kind) {
  return script(node_program, "get.js",
                {package, proxy_url(errand, kind), errand.certificate.path, errand.url, errand.file});
}
ProgramCall undici(const Errand& errand) {
  return node(errand, "undici", "http");
}
ProgramCall http_proxy_agent(const Errand& errand) {
  return node(errand, "http-proxy-agent", "http");
}
ProgramCall https_proxy_agent(const Errand& errand) {
  return node(errand, "https-proxy-agent", "http");
}
ProgramCall undici_https(const Errand& errand) {
  return node(errand, "undici", "https");
}
ProgramCall http_proxy_agent_https(const Errand& errand) {
  return node(errand, "http-proxy-agent", "https");
}
ProgramCall https_proxy_agent_https(const Errand& errand) {
  return node(errand, "https-proxy-agent", "https");
}
ProgramCall socks_proxy_agent(const Errand& errand) {
  return node(errand, "socks-proxy-agent", "socks5h");
}

constexpr const char* reset = "Connection reset by peer";
// What Node.js calls a reset depends on what it was doing at that moment.
constexpr const char* node_reset = "the content ends early";
constexpr const char* socks_denied = "Socks5 proxy rejected connection - NotAllowed";
constexpr const char* socks_unreachable = "Socks5 proxy rejected connection - HostUnreachable";

}  // namespace

std::vector<Client> python_clients() {
  return {
      {"urllib_http", Scheme::http, urllib, Host::by_name, "HTTP Error 402: Payment Required",
       "HTTP Error 407", "HTTP Error 503", "the content ends early"},
      {"urllib_http_to_https", Scheme::https, urllib, Host::by_name,
       "Tunnel connection failed: 402 Payment Required", "Tunnel connection failed: 407",
       "Tunnel connection failed: 503", "the content ends early"},
      {"asyncio_http", Scheme::http, asyncio_http, Host::by_name,
       "the proxy says HTTP/1.1 402 Payment Required", "the proxy says HTTP/1.1 407",
       "the proxy says HTTP/1.1 503", reset},
      {"asyncio_https", Scheme::http, asyncio_https, Host::by_name,
       "the proxy says HTTP/1.1 402 Payment Required", "the proxy says HTTP/1.1 407",
       "the proxy says HTTP/1.1 503", reset, Door::tls},
      {"asyncio_http_to_https", Scheme::https, asyncio_http, Host::by_name, "the proxy says HTTP/1.1 402",
       "the proxy says HTTP/1.1 407", "the proxy says HTTP/1.1 503", reset},
      {"asyncio_https_to_https", Scheme::https, asyncio_https, Host::by_name, "the proxy says HTTP/1.1 402",
       "the proxy says HTTP/1.1 407", "the proxy says HTTP/1.1 503", reset, Door::tls},
  };
}

std::vector<Client> node_clients() {
  return {
      {"undici_http", Scheme::http, undici, Host::by_name, "Proxy response (402)", "Proxy response (407)",
       "Proxy response (503)", node_reset},
      {"undici_http_to_https", Scheme::https, undici, Host::by_name, "Proxy response (402)",
       "Proxy response (407)", "Proxy response (503)", node_reset},
      {"undici_https", Scheme::http, undici_https, Host::by_name, "Proxy response (402)",
       "Proxy response (407)", "Proxy response (503)", node_reset, Door::tls},
      {"undici_https_to_https", Scheme::https, undici_https, Host::by_name, "Proxy response (402)",
       "Proxy response (407)", "Proxy response (503)", node_reset, Door::tls},
      {"http_proxy_agent_http", Scheme::http, http_proxy_agent, Host::by_name, "answer 402", "answer 407",
       "answer 503", node_reset},
      {"http_proxy_agent_https", Scheme::http, http_proxy_agent_https, Host::by_name, "answer 402",
       "answer 407", "answer 503", node_reset, Door::tls},
      {"https_proxy_agent_http", Scheme::http, https_proxy_agent, Host::by_name, "answer 402", "answer 407",
       "answer 503", node_reset},
      {"https_proxy_agent_https", Scheme::http, https_proxy_agent_https, Host::by_name, "answer 402",
       "answer 407", "answer 503", node_reset, Door::tls},
      {"https_proxy_agent_http_to_https", Scheme::https, https_proxy_agent, Host::by_name, "answer 402",
       "answer 407", "answer 503", node_reset},
      {"https_proxy_agent_https_to_https", Scheme::https, https_proxy_agent_https, Host::by_name,
       "answer 402", "answer 407", "answer 503", node_reset, Door::tls},
      {"socks_proxy_agent", Scheme::http, socks_proxy_agent, Host::by_name, socks_denied,
       "Socks5 Authentication failed", socks_unreachable, node_reset},
      {"socks_proxy_agent_to_https", Scheme::https, socks_proxy_agent, Host::by_name, socks_denied,
       "Socks5 Authentication failed", socks_unreachable, node_reset},
  };
}

}  // namespace payg::test
