#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <variant>
#include <vector>

#include "billing/core/admission.h"
#include "billing/core/user_name.h"
#include "billing/failure_limit.h"
#include "billing/ledger_health.h"
#include "billing/network_index.h"
#include "billing/recent_refusals.h"
#include "billing/session_table.h"
#include "billing/standing_reader.h"
#include "billing/user_cache.h"
#include "plugin/api/plugin.h"
#include "plugin/base/host_pattern.h"

namespace payg::billing {

/// What somebody was believed with: his token, or the address that he came from.
using Proof = std::variant<TokenHash, IpAddress>;

/// Who a connection pays as, and what its user name asked for.
class BillingIdentity final : public plugin::Identity {
 public:
  BillingIdentity(const User& who, UserName wire_name, std::optional<UserNameError> wire_flaw,
                  Proof proof_of_it);

  const UserId user_id;
  /// Looked at again when a session starts, with what the ledger says then.
  const Proof proof;
  const UserName name;  ///< only `user`, when there is a flaw
  /// What the name asks for, and the user's own where it asks for none.
  const plugin::Location location;
  /// What is wrong behind the user's name: told only to who has the right token, and so with the admission.
  const std::optional<UserNameError> flaw;
};

/// Who may come in: answers the proxy's two questions, on the spot for a user who is known and a session that
/// is live, else as soon as the ledger has answered. Called on worker threads; answers there or on the ledger
/// thread of `reader`.
///
/// With credentials these count and nothing else; the right ones also confirm what their user has listed and
/// comes from. Without any, who comes from a confirmed network of a user speaks for that user, with an empty
/// label and the user's own location; of a disabled user for nobody.
///
/// Free targets are outside all of this: any active user reaches them, whatever he has or owes, without a
/// session and so unmetered; also while the ledger is away.
///
/// Nobody makes the ledger work by asking again and again. Wrong tokens are counted for each client address,
/// and one that has sent too many is refused unheard, but for the right token of a user who is known: so
/// nobody locks out those who share his address. Who was refused by what the ledger said, whatever it was, is
/// refused without it for a second, unless something about him was changed meanwhile, or a session ended
/// whose end may let him in.
class Reception {
 public:
  struct Dependencies {
    const Clock& clock;
    SessionTable& table;
    UserCache& users;
    NetworkIndex& networks;
    StandingReader& reader;
    LedgerHealth& health;
    std::uint64_t seed;  ///< random
    /// A user's right token was shown from inside this network of his. Must not block.
    std::function<void(UserId, const Cidr&)> confirm_network;
  };

  explicit Reception(const Dependencies& dependencies)
      : with_(dependencies), wrong_tokens_(FailureLimit::no_limit, dependencies.seed) {}

  /// A name that nobody has and a wrong token get the same answer after the same read: the ledger is asked
  /// for whatever does not match what is remembered, which also lets a new token work at once. Both are
  /// remembered, counted and throttled alike.
  void authenticate(const plugin::AuthenticationRequest& request, plugin::AuthenticationAnswer answer);
  void admit(const plugin::AdmissionRequest& request, plugin::AdmissionAnswer answer);

  /// The node is ready: sessions may start. `shop_url` is where credits are bought.
  void open();
  void close() noexcept { state_ = State::closed; }
  bool is_closed() const noexcept { return state_ == State::closed; }
  void set_terms(const StartTerms& terms);
  void set_wrong_tokens_per_minute(unsigned limit) { wrong_tokens_.set_per_minute(limit); }
  /// Live sessions that a user may have on all nodes together; 0: any number.
  void set_session_limit(std::uint32_t limit);
  void set_free_targets(std::vector<HostPattern> targets);
  void set_shop_url(const std::string& url);
  std::string shop_url() const;
  /// Something about the user was changed: what he was refused for may hold no longer.
  void user_changed(const std::string& name);
  ReceptionCounters counters() const;

 private:
  enum class State { not_yet_open, open, closed };
  struct Caller;     // waits for authentication
  struct Visitor;    // the same, without credentials
  struct Applicant;  // waits for admission

  void authenticate_visitor(const plugin::AuthenticationRequest& request,
                            plugin::AuthenticationAnswer answer);
  void note_presence(const User& user, const IpAddress& client) const;
  void read_again(const std::string& user);
  void refuse_token(Caller& caller);
  void refuse_unread(Caller& caller);
  void decide(Caller& caller, const StandingQueue::Answer& read);
  void decide(Visitor& visitor, const StandingQueue::Answer& read);
  bool is_proven(const User& user, const Proof& proof) const;
  void decide(Applicant& applicant, const StandingQueue::Answer& read);
  bool is_free(const plugin::AdmissionRequest& request) const;
  void admit_free(const BillingIdentity& who, plugin::AdmissionAnswer& answer) const;
  bool may_start_now(const Applicant& applicant, const Standing& standing) const;
  bool is_at_limit(const Applicant& applicant, const Standing& standing) const;
  std::optional<Refusal> reason_to_refuse(const Applicant& applicant, const Standing& standing) const;
  plugin::Denial denial_for(Refusal why) const;
  void let_in(Applicant& applicant);

  const Dependencies with_;
  std::atomic<State> state_{State::not_yet_open};
  FailureLimit wrong_tokens_;
  RecentRefusals refused_tokens_;  // also names that nobody has
  RecentRefusals refused_starts_;
  std::atomic<std::uint64_t> wrong_tokens_count_{0}, throttled_count_{0}, from_memory_count_{0};
  std::atomic<std::uint32_t> session_limit_{0};
  std::atomic<bool> has_free_targets_{false};  // spares everybody the lock where there are none
  mutable std::shared_mutex free_targets_mutex_;
  std::vector<HostPattern> free_targets_;  // guarded by free_targets_mutex_
  mutable std::mutex mutex_;
  StartTerms terms_;      // guarded by mutex_
  std::string shop_url_;  // guarded by mutex_
};

}  // namespace payg::billing
