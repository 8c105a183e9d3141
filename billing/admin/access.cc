#include "billing/admin/access.h"

#include <utility>

#include "billing/admin/problem.h"
#include "billing/payments/secrets.h"
#include "plugin/base/text.h"

namespace payg::billing {
namespace {

bool changes_something(const std::string& method) {
  return method != "GET" && method != "HEAD" && method != "OPTIONS";
}

// The authority of "http://authority"; empty for anything else, such as "null".
std::string_view authority_of(std::string_view origin) {
  const auto scheme_end = origin.find("://");
  return scheme_end == std::string_view::npos ? std::string_view{} : origin.substr(scheme_end + 3);
}

// Host without its port, and without the brackets of an IPv6 literal.
std::string_view name_of_host(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

bool is_own_host(std::string_view host, const Settings& settings) {
  const std::string_view name = name_of_host(host);
  if (equal_ignoring_case(name, "localhost")) return true;
  const auto ip = IpAddress::parse(name);
  return ip && (ip->is_loopback() || *ip == settings.own_address);
}

// The token of "Bearer TOKEN"; nullopt: another scheme, or none.
std::optional<std::string_view> bearer_token(std::string_view field) {
  constexpr std::string_view scheme = "bearer ";
  field = trim_ows(field);
  if (field.size() <= scheme.size() || !equal_ignoring_case(field.substr(0, scheme.size()), scheme))
    return std::nullopt;
  return trim_ows(field.substr(scheme.size()));
}

bool is_operators(const TokenHash& hash, const Settings& settings) {
  return settings.operator_token && equal_in_constant_time(hash, *settings.operator_token);
}

Reply refuse_token() {
  Reply reply = problem(Problem::unauthorized, "The token is not valid.");
  reply.headers[0].second += ", error=\"invalid_token\"";
  return reply;
}

Result<Caller, Reply> as_user(LedgerResult<User> found, Reply unknown) {
  if (!found.ok()) {
    if (found.error().code == LedgerError::Code::not_found) return unknown;
    return problem(found.error());
  }
  if (found->state == UserState::disabled)
    return problem(Problem::user_disabled, "The operator has disabled this user.");
  return Caller{.kind = Caller::Kind::user, .user = std::move(*found)};
}

Result<Caller, Reply> find_caller(const Request& request, const Settings& settings, Ledger& ledger) {
  if (request.authorization.empty()) {
    const Reply needed = problem(Problem::unauthorized, "Send Authorization: Bearer with a token.");
    if (settings.anonymous_user.empty()) return needed;
    return as_user(ledger.find_user(settings.anonymous_user), needed);
  }
  const auto token = bearer_token(request.authorization);
  if (!token) return refuse_token();
  const TokenHash hash = hash_token(*token);
  if (is_operators(hash, settings)) return Caller{.kind = Caller::Kind::operating, .user = {}};
  return as_user(ledger.find_user(hash), refuse_token());
}

}  // namespace

std::optional<Reply> refuse_foreign_page(const Request& request, const Settings& settings) {
  if (!settings.anonymous_user.empty() && !is_own_host(request.host, settings))
    return problem(Problem::host_not_allowed, "Ask by localhost or by the address of this port.");
  if (!changes_something(request.method)) return std::nullopt;
  const bool foreign_origin =
      !request.origin.empty() && !equal_ignoring_case(authority_of(request.origin), request.host);
  const bool foreign_fetch = request.fetch_site == "cross-site" || request.fetch_site == "same-site";
  if (foreign_origin || foreign_fetch)
    return problem(Problem::cross_origin, "A page of another site asked for this.");
  return std::nullopt;
}

bool speaks_for_operator(const Request& request, const Settings& settings) {
  const auto token = bearer_token(request.authorization);
  return token && is_operators(hash_token(*token), settings);
}

Result<Caller, Reply> identify(const Request& request, Who who, const Settings& settings, Ledger& ledger) {
  if (who == Who::anyone) return Caller{};
  auto caller = find_caller(request, settings, ledger);
  if (!caller.ok() || who == Who::user_or_operating) return caller;
  if (who == Who::user && caller->kind != Caller::Kind::user)
    return problem(Problem::forbidden, "This is a user's call; the operator has no balance.");
  if (who == Who::operating && caller->kind != Caller::Kind::operating)
    return problem(Problem::forbidden, "Only the operator may do this.");
  return caller;
}

}  // namespace payg::billing
