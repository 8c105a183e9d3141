#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin/base/address.h"

struct evdns_base;
struct evdns_getaddrinfo_request;
struct event_base;

namespace payg::proxy {

/// Who waits for a name to be resolved.
class ResolutionHandler {
 public:
  /// Once for each family that was asked for; no address when the name has none in it, or when the question
  /// failed. Never called from within Resolver::resolve; may destroy the resolution.
  virtual void on_resolved(IpAddress::Family family, std::vector<IpAddress> addresses) noexcept = 0;

 protected:
  ~ResolutionHandler() = default;
};

/// Asynchronous DNS of one worker, over libevent's evdns: the hosts file first, then the name servers. IPv4
/// and IPv6 are two questions, so that a lost answer to one does not hold up the other (RFC 8305 §3).
class Resolver {
 public:
  /// `nameservers`: "ip" or "ip:port"; empty: those of /etc/resolv.conf. Throws std::runtime_error when one
  /// is not understood.
  Resolver(event_base* base, const std::vector<std::string>& nameservers);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Ends name resolution. libevent answers each cancelled question once more, from the loop: run it once
  /// behind this, or what belongs to them is never freed. REQUIRES: every Resolution is gone.
  void close() noexcept;

  /// The questions under way about one name. Destroying it cancels what has not been answered.
  class Resolution;

  std::unique_ptr<Resolution> resolve(const std::string& name, ResolutionHandler& handler);

 private:
  event_base* loop_;
  evdns_base* base_;
};

class Resolver::Resolution {
 public:
  Resolution(Resolver& resolver, const std::string& name, ResolutionHandler& handler);
  ~Resolution();
  Resolution(const Resolution&) = delete;
  Resolution& operator=(const Resolution&) = delete;

 private:
  struct Question;

  ResolutionHandler& handler_;
  // A cancelled question is answered once more by libevent; it outlives the resolution until then.
  Question* questions_[2] = {};
};

}  // namespace payg::proxy
