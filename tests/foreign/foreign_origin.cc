#include "tests/foreign/foreign_origin.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/foreign/programs.h"
#include "tests/support/harness/patience.h"

namespace payg::test {
namespace {

ProgramCall server_call(const std::string& site, const Certificate& certificate) {
  return ProgramCall{.arguments = {node_program, source_file("tests/foreign/origin/main.js"), site,
                                   certificate.path, certificate.key_path},
                     .environment = {node_path()},
                     .working_folder = {},
                     .open_files = {}};
}

SeenRequest seen_request(const std::string& line) {
  const auto json = nlohmann::json::parse(line);
  SeenRequest request{.kind = json.at("kind"),
                      .method = json.at("method"),
                      .url = json.at("url"),
                      .version = json.at("version"),
                      .fields = {}};
  for (const auto& [name, value] : json.at("headers").items())
    request.fields[name] = value.is_string() ? value.get<std::string>() : value.dump();
  return request;
}

}  // namespace

ForeignOrigin::ForeignOrigin(const Certificate& certificate)
    : server_(server_call(site_.path(), certificate)) {
  const bool ready =
      server_.wait_for_errors([](const std::string& said) { return said.find("}\n") != said.npos; });
  const std::string said = server_.errors();
  const auto start = said.find("ready {");
  if (!ready || start == said.npos) throw HarnessError("the origin does not listen:\n" + said);
  const auto ports = nlohmann::json::parse(said.substr(start + 6, said.find('\n', start) - start - 6));
  http_ = ports.at("http").get<std::uint16_t>();
  https_ = ports.at("https").get<std::uint16_t>();
  http6_ = ports.at("http6").get<std::uint16_t>();
  https6_ = ports.at("https6").get<std::uint16_t>();
  udp_ = ports.at("udp").get<std::uint16_t>();
}

std::uint16_t ForeignOrigin::port(Scheme scheme, Host host) const {
  if (host == Host::v6) return scheme == Scheme::https ? https6_ : http6_;
  return scheme == Scheme::https ? https_ : http_;
}

std::string ForeignOrigin::authority(Scheme scheme, Host host) const {
  const std::string port_text = ":" + std::to_string(port(scheme, host));
  switch (host) {
    case Host::v4: return "127.0.0.1" + port_text;
    case Host::v6: return "[::1]" + port_text;
    case Host::by_name: return origin_name + port_text;
  }
  throw HarnessError("no such host");
}

std::string ForeignOrigin::url(Scheme scheme, const std::string& path, Host host) const {
  return (scheme == Scheme::https ? "https://" : "http://") + authority(scheme, host) + path;
}

/// site.js keeps it beside until it is whole.
bool ForeignOrigin::has_begun_to_keep(const std::string& name) const {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(site_.path() + "/" + name + ".part", ignored);
  return !ignored && size > 0;
}

std::vector<SeenRequest> ForeignOrigin::requests() const {
  const std::string said = server_.output();
  std::istringstream lines(said.substr(0, said.rfind('\n') + 1));
  std::vector<SeenRequest> all;
  for (std::string line; std::getline(lines, line);) all.push_back(seen_request(line));
  return all;
}

}  // namespace payg::test
