#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "plugin/api/plugin.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/scenario.h"

namespace payg::simulation {

/// What must always hold: the invariants, and the sentences of the metering rule.
enum class Law : std::uint8_t {
  books,              ///< I1
  never_below_zero,   ///< I2
  charged_once,       ///< I3
  credited_once,      ///< I4
  cut_in_time,        ///< I5
  one_end,            ///< I6: every session has exactly one
  nothing_after_end,  ///< I6: nobody is charged, nor relayed, once it is there
  one_life,           ///< I6: what an earlier life of a node asks for is charged no more
  lost_nodes,     ///< I6: the others end a node's sessions when it was silent for its lease, and only then
  session_limit,  ///< a user has so many sessions and no more, and is told so when there is no room
  nothing_lost,   ///< I7
  start,          ///< rule 2: who may start, and who may not
  connected,      ///< rule 3: an increment is bought if a connection is open where it begins
  one_payer,      ///< one session of (user, label) pays at a time
  price,          ///< rule 4: what a charge costs and grants
  increments_follow,  ///< rule 5: each begins where the last one ended
  paid_or_kept,       ///< bytes are permitted for what is paid, or safe on the node's disk
  outage,             ///< rule 7: on for at most outage_grace, and for no less
  no_cut_without_cause,
  no_deadlock,
};
std::string_view name_of(Law law) noexcept;

struct Finding {
  Law law = Law::books;
  std::string what;
  MonotonicTime at{};
  UserId user{};
  billing::SessionId session{};
};

/// A stay as the proxy knows it: the handle that its connections are attached to, on one life of a node.
struct StayName {
  NodeNumber node{};
  std::uint32_t life = 0;
  plugin::SessionHandle handle;
  UserId user{};
  bool operator==(const StayName&) const = default;
};

/// One charge as it was committed.
struct ChargeSeen {
  NodeNumber node{};
  billing::NodeLife life{};  ///< of the node, whose charge it is
  billing::ChargeRequest request;
  MonotonicTime begins_about{};  ///< request.from without what the node's wall clock was wrong by; ± 2 ms
  billing::Credits amount;
  std::chrono::milliseconds grant{0};
  billing::Credits balance;  ///< in the ledger, after it
};

enum class Verdict : std::uint8_t { started, joined, payment_required, forbidden, too_many, unavailable };

/// An answer to somebody who wanted to come in.
struct VerdictSeen {
  NodeNumber node{};
  UserId user{};
  Verdict verdict{};
  MonotonicTime asked_at{};
  std::chrono::milliseconds wall_error{0};  ///< of the node's wall clock
  std::optional<StayName> stay;             ///< with `joined`
};

/// The independent model: written from DESIGN.md's metering rule and invariants, it shares nothing with the
/// code that is examined but the words. It sees who was connected when, what the ledger committed, and whom
/// the proxy was told to cut, keeps its own books from that, and judges each thing as it happens; what should
/// have happened and did not is noticed by look_around(). The first breach of a law stands; what comes after
/// it is not judged. Single-threaded.
class Examiner {
 public:
  /// "At most 250 ms" of I5; also what a node is given when it has been stopped or left without answers.
  static constexpr std::chrono::milliseconds allowance{250};
  /// Within which a node learns what others have ended or disabled.
  static constexpr std::chrono::milliseconds reach{1000};
  /// What may be relayed while it is neither paid nor kept.
  static constexpr std::chrono::milliseconds unkept_limit{1000};
  /// How exactly a session's begin is known: a wall clock shows milliseconds, and two of them are subtracted.
  static constexpr std::chrono::milliseconds rounding{3};

  Examiner(const Scenario& scenario, Journal& journal);

  const std::optional<Finding>& finding() const noexcept { return finding_; }
  /// Time that was granted, over all sessions.
  std::chrono::milliseconds granted() const noexcept { return granted_; }
  std::uint64_t charges() const noexcept { return charges_; }
  std::uint64_t sessions() const noexcept { return sessions_.size(); }

  // -- connections, on the worker's clock
  /// `relay_until` is looked at as long as a connection is open.
  void opened(const StayName& stay, Label label, const std::atomic<MonotonicTime>& relay_until,
              MonotonicTime at);
  void closed(const StayName& stay, MonotonicTime at);
  void told_to_close(const StayName& stay, billing::EndReason why, MonotonicTime at);
  void decided(const VerdictSeen& verdict, MonotonicTime at);

  // -- nodes
  void node_started(NodeNumber node, MonotonicTime at);
  void node_gone(NodeNumber node, MonotonicTime at);
  /// By its configuration, from now on.
  void lease_is(NodeNumber node, std::chrono::milliseconds lease) { nodes_[index(node)].lease = lease; }
  void node_drains(NodeNumber node) { nodes_[index(node)].drains = true; }
  void node_paused(NodeNumber node, MonotonicTime at);
  void node_continued(NodeNumber node, MonotonicTime at);
  /// Until when calls of this node get no answer, or a late one: its sessions may be behind until then.
  void disturbed(NodeNumber node, MonotonicTime until);
  /// Until when somebody holds this user's row.
  void disturbed(UserId user, MonotonicTime until);
  /// Until when this node cannot keep what it owes.
  void disk_broken(NodeNumber node, MonotonicTime until) { nodes_[index(node)].disk_broken_until = until; }
  /// The node was told that this charge is safe on its disk.
  void kept(NodeNumber node, const billing::ChargeRequest& charge, MonotonicTime begins_about,
            MonotonicTime at);
  void terms_changed(const billing::Terms& terms, MonotonicTime at);

  // -- the ledger, at each COMMIT
  void life_began(NodeNumber node, billing::NodeLife life, MonotonicTime at);
  void lease_renewed(NodeNumber node, MonotonicTime at);
  /// Somebody else is about to end a session of a node that was lost: ended() comes next.
  void taken_over(billing::SessionId session, NodeNumber lost, MonotonicTime at);
  void charged(const ChargeSeen& charge, MonotonicTime at);
  /// Charge 1 of a session too many: nothing was charged.
  void found_no_room(const billing::ChargeRequest& request, MonotonicTime at);
  void ended(const billing::EndRequest& end, MonotonicTime really_at, std::chrono::milliseconds wall_error,
             MonotonicTime at);
  void posted(UserId user, billing::SessionId session, billing::Credits amount, MonotonicTime at);
  void credited(UserId user, billing::Credits amount, std::uint64_t reference, billing::Credits balance,
                MonotonicTime at);
  void state_set(UserId user, billing::UserState state, MonotonicTime at);
  void balance_read(UserId user, billing::Credits balance, MonotonicTime at);
  void deadlock(UserId user, MonotonicTime at);
  /// The answer to a charge that was committed is late, or lost.
  void answer_is_missing(billing::SessionId session);
  /// Somebody was told that his credits are there.
  void credit_acknowledged(UserId user, std::uint64_t reference, MonotonicTime at);
  /// An operator, or the user, asked this session's node to end it.
  void end_asked(billing::SessionId session) { end_asked_.insert(session); }

  // -- now and then, and at the end
  void look_around(MonotonicTime at);
  /// Everything was drained: no session is open, and the books are closed.
  void finish(MonotonicTime at);

 private:
  struct Change {
    MonotonicTime at;
    std::uint32_t open;  // connections, from here on
  };
  /// One stay, and who was connected in it when.
  struct Stay {
    StayName name;
    Label label{};
    std::vector<Change> changes;
    std::uint32_t open = 0;
    MonotonicTime open_since{};                               // while open > 0
    MonotonicTime covered_until = MonotonicTime::min();       // by grants
    MonotonicTime told_at = MonotonicTime::max();             // to close; or the node died
    std::optional<std::uint32_t> session;                     // the last one
    MonotonicTime kept_until = MonotonicTime::min();          // by charges on the node's disk
    const std::atomic<MonotonicTime>* relay_until = nullptr;  // while open > 0
    bool is_free = false;
  };
  struct SessionBook {
    billing::SessionId id;
    UserId user;
    NodeNumber node{};
    std::uint32_t life = 0;
    std::uint32_t stay = 0;
    plugin::SessionHandle handle;
    std::uint32_t number = 0;
    MonotonicTime begin, paid_until;
    billing::Credits charged, posted;
    std::chrono::milliseconds last_grant{0}, last_increment{0};
    MonotonicTime committed_at{};                   // the last charge
    bool is_unheard = false;                        // the node may not know of the last charge
    MonotonicTime ended_at = MonotonicTime::max();  // when the ledger knew
    bool was_taken_over = false;                    // ended by another node
  };
  struct UserBook {
    billing::Credits balance, transactions, unposted;
    billing::UserState state = billing::UserState::active;
    MonotonicTime disabled_at = MonotonicTime::max();      // max: he is not
    MonotonicTime was_disabled_at = MonotonicTime::min();  // last: a cut may still be on its way
    std::optional<MonotonicTime> last_end;
    MonotonicTime found_no_room_at = MonotonicTime::min();
    std::optional<NodeNumber> taken_from;         // which may still think that he is there
    std::chrono::milliseconds last_end_error{0};  // the largest: the latest end by the clocks counts
    MonotonicTime changed_at = MonotonicTime::min();
    MonotonicTime was_empty_at = MonotonicTime::max();  // max: he is; else when he last was
    MonotonicTime disturbed_until = MonotonicTime::min();
    std::uint32_t open_sessions = 0;
    std::vector<std::uint32_t> stays;
    std::vector<std::uint32_t> sessions;  // those whose end was not seen
  };
  struct NodeBook {
    std::uint32_t life = 0;
    bool is_up = false, paused = false, drains = false;
    MonotonicTime paused_at = MonotonicTime::min();
    MonotonicTime continued_at = MonotonicTime::min();
    // The last time for longer than its lease, or nearly.
    MonotonicTime fell_asleep_at = MonotonicTime::min(), slept_at = MonotonicTime::min();
    bool slept_surely = false;
    MonotonicTime disk_broken_until = MonotonicTime::min();
    MonotonicTime disturbed_until = MonotonicTime::min();
    std::chrono::milliseconds lease{0};
    // In the ledger, whichever life the node is in.
    struct Signs {
      billing::NodeLife life{};
      MonotonicTime beat_at{};
      std::chrono::milliseconds lease{0};  // that came with the beat
      std::uint32_t open_sessions = 0;
    } signs;
  };
  struct TermsSeen {
    billing::Terms terms;
    MonotonicTime from, until;
  };

  static std::size_t index(NodeNumber node) { return static_cast<std::size_t>(node); }
  UserBook& book_of(UserId user) { return users_[user.value]; }
  void report(Law law, MonotonicTime at, UserId user, billing::SessionId session, std::string what);

  // -- who was there when
  std::uint32_t place_of(const StayName& name, Label label);
  std::optional<std::uint32_t> find(const StayName& name) const;
  static bool was_open(const Stay& stay, MonotonicTime at);
  static bool was_open_about(const Stay& stay, MonotonicTime about);
  static void note_change(Stay& stay, std::uint32_t open, MonotonicTime at);
  void forget_old_stays(UserBook& user, MonotonicTime at);
  bool is_relaying(const Stay& stay) const;
  MonotonicTime excused_until(const Stay& stay) const;
  void check_overrun(const Stay& stay, MonotonicTime at);
  void check_permit(const Stay& stay, MonotonicTime at);
  void check_kept(MonotonicTime at);
  void check_reach(const Stay& stay, MonotonicTime at);
  MonotonicTime unanswered_since(const Stay& stay, MonotonicTime at) const;
  void check_cause(const Stay& stay, billing::EndReason why, MonotonicTime at);
  bool was_cut_before(const SessionBook& session, MonotonicTime at) const;

  // -- nodes
  void check_relays_no_more(const SessionBook& session, const NodeBook& node, MonotonicTime at);
  void check_lost(NodeNumber number, MonotonicTime at);
  bool has_watcher(NodeNumber lost, MonotonicTime since) const;

  // -- money
  SessionBook* session_for(const ChargeSeen& charge, MonotonicTime at);
  SessionBook* first_charge(const ChargeSeen& charge, MonotonicTime at);
  void check_one_payer(const SessionBook& session, MonotonicTime at);
  void check_increment(const SessionBook& session, const ChargeSeen& charge, MonotonicTime at);
  void check_sleep(const SessionBook& session, NodeNumber number, MonotonicTime at);
  void check_price(const SessionBook& session, const ChargeSeen& charge, MonotonicTime at);
  void check_books(UserId user, billing::Credits in_ledger, MonotonicTime at);
  void check_idle_end(const SessionBook& session, MonotonicTime at);
  bool is_empty(const UserBook& user) const { return user.balance.units() * 1000 < dearest_; }
  void add(UserBook& user, std::int64_t units, MonotonicTime at);
  Stay* stay_of(const SessionBook& session);

  // -- coming in
  bool has_room(const UserBook& user) const {
    return scenario_.session_limit == 0 || user.open_sessions < scenario_.session_limit;
  }
  bool is_known_on(const UserBook& user, NodeNumber node) const;
  bool may_start(const UserBook& user, MonotonicTime at, std::chrono::nanoseconds sooner) const;

  const Scenario& scenario_;
  Journal& journal_;
  std::optional<Finding> finding_;

  std::vector<UserBook> users_;  // by number
  std::vector<NodeBook> nodes_;
  std::vector<Stay> stays_;
  std::vector<std::uint32_t> free_stays_;
  std::vector<SessionBook> sessions_;
  std::unordered_map<billing::SessionId, std::uint32_t> by_id_;
  std::unordered_set<std::uint64_t> references_;
  std::unordered_set<billing::SessionId> end_asked_;
  std::unordered_set<billing::SessionId> without_room_;
  struct KeptCharge {
    UserId user;
    NodeNumber node{};
    std::uint32_t number = 0;
    MonotonicTime at;
  };
  std::unordered_map<billing::SessionId, KeptCharge> kept_;  // the last one of each session
  std::vector<TermsSeen> terms_;
  std::int64_t dearest_ = 0;  // thousandths of a unit for a millisecond, of all terms seen
  std::chrono::milliseconds granted_{0};
  std::uint64_t charges_ = 0;
};

}  // namespace payg::simulation
