#include "proxy/parent_talk.h"

#include <utility>

namespace payg::proxy {
namespace {

socks::HasCredentials credentials_of(const Exit& exit) {
  return exit.username().empty() ? socks::HasCredentials::no : socks::HasCredentials::yes;
}

}  // namespace

ParentTalk::ParentTalk(const Exit& exit, const TargetHost* host, std::uint16_t port, const ViaOfRequest& via)
    : exit_(exit), host_(host), port_(port), via_(via) {
  if (exit.kind() == config::ExitKind::socks5) {
    unsent_ = socks::client_greeting(credentials_of(exit));
  } else {
    ask();
  }
}

void ParentTalk::ask() {
  step_ = Step::asked;
  if (host_ == nullptr) return;
  if (exit_.kind() == config::ExitKind::socks5) {
    socks::append_connect(unsent_, *host_, port_);
  } else {
    http::append_connect_request(unsent_, {.authority = authority_of(host_->text, port_),
                                           .username = exit_.username(),
                                           .password = exit_.password(),
                                           .pseudonym = via_.pseudonym,
                                           .received_via = via_.received});
  }
}

ParentTalk::Progress ParentTalk::read(Buffer& received) {
  if (exit_.kind() != config::ExitKind::socks5) {
    return host_ == nullptr ? Progress::open : read_connect_answer(received);
  }
  switch (step_) {
    case Step::method: return read_method(received);
    case Step::credentials: return read_credentials_status(received);
    case Step::asked: return read_reply(received);
  }
  return Progress::needs_more;
}

ParentTalk::Progress ParentTalk::read_connect_answer(Buffer& received) {
  http::ConnectAnswer answer;
  const auto outcome = answer_.parse(received.view(), answer);
  switch (outcome.state) {
    case http::ParseState::incomplete: return Progress::needs_more;
    case http::ParseState::refused: return fail_exit("its parent's answer is malformed");
    case http::ParseState::complete: break;
  }
  received.consume(outcome.consumed);
  return judge(answer.verdict, answer.status);
}

ParentTalk::Progress ParentTalk::judge(http::ConnectVerdict verdict, unsigned status) {
  switch (verdict) {
    case http::ConnectVerdict::open: return Progress::open;
    case http::ConnectVerdict::forbidden: return fail_target(DialFailure::forbidden);
    case http::ConnectVerdict::refused: return fail_target(DialFailure::refused);
    case http::ConnectVerdict::unreachable: return fail_target(DialFailure::unreachable);
    case http::ConnectVerdict::unresolved: return fail_target(DialFailure::unresolved);
    case http::ConnectVerdict::timed_out: return fail_target(DialFailure::timed_out);
    case http::ConnectVerdict::wants_credentials:
      return fail_exit(exit_.username().empty() ? "its parent wants credentials"
                                                : "its parent does not accept the credentials");
    case http::ConnectVerdict::not_served: break;
  }
  return fail_exit("its parent answered with status " + std::to_string(status));
}

ParentTalk::Progress ParentTalk::read_method(Buffer& received) {
  auto method = socks::Method::unacceptable;
  const auto answer = socks::parse_method(received.view(), credentials_of(exit_), method);
  if (answer.state == socks::ParseState::incomplete) return Progress::needs_more;
  if (answer.state == socks::ParseState::refused) return fail_exit("its parent does not speak SOCKS5");
  received.consume(answer.consumed);
  switch (method) {
    case socks::Method::unacceptable:
      return fail_exit(exit_.username().empty() ? "its parent wants credentials"
                                                : "its parent takes no user name and password");
    case socks::Method::no_credentials: return go_on();
    case socks::Method::user_name_password: break;
  }
  step_ = Step::credentials;
  socks::append_credentials(unsent_, exit_.username(), exit_.password());
  return read(received);
}

ParentTalk::Progress ParentTalk::read_credentials_status(Buffer& received) {
  auto status = socks::CredentialsStatus::failure;
  const auto answer = socks::parse_credentials_status(received.view(), status);
  if (answer.state == socks::ParseState::incomplete) return Progress::needs_more;
  if (answer.state == socks::ParseState::refused)
    return fail_exit("its parent's answer to the credentials is malformed");
  received.consume(answer.consumed);
  if (status == socks::CredentialsStatus::failure)
    return fail_exit("its parent does not accept the credentials");
  return go_on();
}

ParentTalk::Progress ParentTalk::go_on() {
  ask();
  // A reply that stands behind the greeting's end already answers what was not asked; it is read like any.
  return host_ == nullptr ? Progress::open : Progress::needs_more;
}

ParentTalk::Progress ParentTalk::read_reply(Buffer& received) {
  std::uint8_t code = 0;
  const auto answer = socks::parse_reply(received.view(), code);
  if (answer.state == socks::ParseState::incomplete) return Progress::needs_more;
  if (answer.state == socks::ParseState::refused) return fail_exit("its parent's reply is malformed");
  received.consume(answer.consumed);
  switch (static_cast<socks::Reply>(code)) {
    case socks::Reply::succeeded: return Progress::open;
    case socks::Reply::not_allowed: return fail_target(DialFailure::forbidden);
    case socks::Reply::connection_refused: return fail_target(DialFailure::refused);
    case socks::Reply::ttl_expired: return fail_target(DialFailure::timed_out);
    case socks::Reply::command_not_supported: return fail_exit("its parent does not do CONNECT");
    default: return fail_target(DialFailure::unreachable);
  }
}

ParentTalk::Progress ParentTalk::fail_exit(std::string why) {
  failure_ = {.failure = DialFailure::exit_failed, .blame = Blame::exit, .why = std::move(why)};
  return Progress::failed;
}

ParentTalk::Progress ParentTalk::fail_target(DialFailure failure) {
  failure_ = {.failure = failure, .blame = Blame::target};
  return Progress::failed;
}

}  // namespace payg::proxy
