// Programs of a shell: wget, ncat, and whatever proxychains is put in front of.

#include <fstream>

#include "tests/foreign/client.h"
#include "tests/foreign/programs.h"

namespace payg::test {
namespace {

using Scheme = ForeignOrigin::Scheme;
using Host = ForeignOrigin::Host;

ProgramCall wget(const Errand& errand) {
  const std::string proxy = "http://" + credentials(errand.account) + "@" + errand.proxy;
  return ProgramCall{.arguments = {"/usr/bin/wget", "--progress=dot:giga", "--no-hsts", "--tries=1", "-O",
                                   errand.file, "--ca-certificate=" + errand.certificate.path, errand.url},
                     .environment = {"http_proxy=" + proxy, "https_proxy=" + proxy},
                     .working_folder = {},
                     .open_files = {}};
}

ProgramCall ncat(const Errand& errand, const char* kind) {
  const auto host = errand.url.find("//") + 2;
  const auto colon = errand.url.find(':', host);
  const auto path = errand.url.find('/', colon);
  return ProgramCall{
      .arguments = {source_file("tests/foreign/clients/ncat.sh"), kind, errand.proxy,
                    credentials(errand.account), errand.url.substr(host, colon - host),
                    errand.url.substr(colon + 1, path - colon - 1), errand.url.substr(path), errand.file},
      .environment = {},
      .working_folder = {},
      .open_files = {}};
}
ProgramCall ncat_http(const Errand& errand) {
  return ncat(errand, "http");
}
ProgramCall ncat_socks5(const Errand& errand) {
  return ncat(errand, "socks5");
}

/// curl, which knows of no proxy and is taken to one all the same.
ProgramCall proxychains(const Errand& errand, const char* kind) {
  const auto colon = errand.proxy.find(':');
  const std::string settings = errand.folder + "/proxychains.conf";
  std::ofstream(settings) << "strict_chain\n[ProxyList]\n"
                          << kind << " " << errand.proxy.substr(0, colon) << " "
                          << errand.proxy.substr(colon + 1) << " " << errand.account.name << " "
                          << errand.account.token << "\n";
  return ProgramCall{.arguments = {"/usr/bin/proxychains4", "-f", settings, curl_program, "-qsS", "--cacert",
                                   errand.certificate.path, "-o", errand.file, errand.url},
                     .environment = {},
                     .working_folder = {},
                     .open_files = {}};
}
ProgramCall proxychains_http(const Errand& errand) {
  return proxychains(errand, "http");
}
ProgramCall proxychains_socks5(const Errand& errand) {
  return proxychains(errand, "socks5");
}

constexpr const char* reset = "Connection reset by peer";

}  // namespace

std::vector<Client> tool_clients() {
  return {
      {"wget_http", Scheme::http, wget, Host::by_name, "ERROR 402: Payment Required",
       "Proxy Authentication Required", "ERROR 503: Service Unavailable", "Read error"},
      {"wget_https", Scheme::https, wget, Host::by_name, "Proxy tunneling failed: Payment Required",
       "Proxy tunneling failed: Proxy Authentication Required", "Proxy tunneling failed: Service Unavailable",
       "Read error"},
      {"ncat_http", Scheme::http, ncat_http, Host::v4, "Proxy returned status code 402",
       "Proxy returned status code 407", "Proxy returned status code 503", reset},
      {"ncat_socks5", Scheme::http, ncat_socks5, Host::v4, "connection not allowed by ruleset",
       "authentication failed", "Host unreachable", reset},
      {"proxychains_http", Scheme::https, proxychains_http, Host::v4, "<--denied", "<--denied", "<--denied",
       reset},
      {"proxychains_socks5", Scheme::http, proxychains_socks5, Host::v4, "<--socket error", "<--denied",
       "<--socket error", reset},
  };
}

}  // namespace payg::test
