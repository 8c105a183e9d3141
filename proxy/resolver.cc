#include "proxy/resolver.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include <stdexcept>
#include <utility>

#include "plugin/base/event.h"

namespace payg::proxy {

Resolver::Resolver(event_base* base, const std::vector<std::string>& nameservers)
    : loop_(base), base_(evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE)) {
  if (base_ == nullptr) throw std::runtime_error("cannot start DNS: out of memory or file descriptors");
  if (nameservers.empty()) {
    // Without a readable file libevent falls back to a server on 127.0.0.1, as resolver(5) does.
    evdns_base_resolv_conf_parse(base_, DNS_OPTIONS_ALL, "/etc/resolv.conf");
  } else {
    evdns_base_load_hosts(base_, "/etc/hosts");
    for (const auto& server : nameservers) {
      if (evdns_base_nameserver_ip_add(base_, server.c_str()) != 0) {
        throw std::runtime_error("nameserver " + server +
                                 " is not understood: expected an IP address, or ip:port");
      }
    }
  }
  // A proxy resolves what the client named, not what the machine's own domain would make of it.
  evdns_base_search_clear(base_);
  // Two attempts of two seconds fit into the shortest sensible connect_timeout.
  evdns_base_set_option(base_, "timeout", "2");
  evdns_base_set_option(base_, "attempts", "2");
  // One name server that is slow must not be given up for long when it is the only one.
  evdns_base_set_option(base_, "max-timeouts", "255");
  evdns_base_set_option(base_, "initial-probe-timeout", "1");
  // Questions under way at once; what is beyond waits in evdns.
  evdns_base_set_option(base_, "max-inflight", "1024");
}

Resolver::~Resolver() {
  close();
}

void Resolver::close() noexcept {
  if (base_ == nullptr) return;
  constexpr int fail_requests = 1;
  evdns_base_free(std::exchange(base_, nullptr), fail_requests);
}

std::unique_ptr<Resolver::Resolution> Resolver::resolve(const std::string& name, ResolutionHandler& handler) {
  return std::make_unique<Resolution>(*this, name, handler);
}

struct Resolver::Resolution::Question {
  Resolution* resolution;  // nullptr: nobody waits any more
  IpAddress::Family family;
  evdns_getaddrinfo_request* request = nullptr;
  // An answer from the hosts file comes at once; it is kept until the loop's next round.
  Event deferred;
  std::vector<IpAddress> addresses;
  bool asking = true;

  Question(Resolution* owner, IpAddress::Family asked_for) : resolution(owner), family(asked_for) {}
  void deliver() {
    Resolution* const owner = resolution;
    auto found = std::move(addresses);
    const auto asked = family;
    if (owner != nullptr) owner->questions_[asked == IpAddress::Family::v4 ? 0 : 1] = nullptr;
    delete this;
    if (owner != nullptr) owner->handler_.on_resolved(asked, std::move(found));
  }
  static void on_answer(int result, evutil_addrinfo* answer, void* self) noexcept;
  static void on_deferred(evutil_socket_t, short, void* self) noexcept {
    static_cast<Question*>(self)->deliver();
  }
};

Resolver::Resolution::Resolution(Resolver& resolver, const std::string& name, ResolutionHandler& handler)
    : handler_(handler) {
  constexpr IpAddress::Family families[2] = {IpAddress::Family::v4, IpAddress::Family::v6};
  for (std::size_t i = 0; i < 2; ++i) {
    evutil_addrinfo hints{};
    hints.ai_family = families[i] == IpAddress::Family::v4 ? AF_INET : AF_INET6;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_protocol = IPPROTO_TCP;
    auto* question = new Question(this, families[i]);
    questions_[i] = question;
    question->request =
        evdns_getaddrinfo(resolver.base_, name.c_str(), nullptr, &hints, Question::on_answer, question);
    question->asking = false;
    if (question->request == nullptr) {
      question->deferred.assign(resolver.loop_, -1, 0, Question::on_deferred, question);
      question->deferred.add_for(std::chrono::milliseconds(0));
    }
  }
}

Resolver::Resolution::~Resolution() {
  for (Question* question : questions_) {
    if (question == nullptr) continue;
    question->resolution = nullptr;
    if (question->request != nullptr) {
      evdns_getaddrinfo_cancel(question->request);
    } else {
      delete question;
    }
  }
}

void Resolver::Resolution::Question::on_answer(int, evutil_addrinfo* answer, void* self) noexcept {
  auto* question = static_cast<Question*>(self);
  for (const evutil_addrinfo* entry = answer; entry != nullptr; entry = entry->ai_next) {
    const auto address = SocketAddress::from(entry->ai_addr);
    if (address && address->ip().family() == question->family) question->addresses.push_back(address->ip());
  }
  if (answer != nullptr) evutil_freeaddrinfo(answer);
  if (!question->asking) question->deliver();
}

}  // namespace payg::proxy
