#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "billing/core/credits.h"
#include "billing/core/end_reason.h"
#include "billing/core/node_lease.h"
#include "billing/ledger/payments.h"
#include "billing/ledger/words.h"
#include "plugin/api/location.h"
#include "plugin/base/address.h"
#include "plugin/base/clock.h"
#include "plugin/base/id.h"

namespace payg::billing {

/// One metered session, unique for its user: 63 random bits, shown as 16 hexadecimal digits.
using SessionId = Id<struct MeteredSessionTag>;
std::string to_string(SessionId id);
std::optional<SessionId> parse_session_id(std::string_view hex);

// ---- users

enum class UserState { active, disabled };
std::string_view name_of(UserState state) noexcept;
/// nullopt: no such name.
std::optional<UserState> parse_user_state(std::string_view name) noexcept;

struct User {
  UserId id;
  std::string name;   ///< [a-z0-9_.]+, at most 64
  std::string email;  ///< may be empty
  UserState state = UserState::active;
  TokenHash token{};
  WallTime created_at{};
  plugin::Location location{};  ///< where his way out stands when he asks for none
};

/// What admission needs to know of a user, read in one go.
struct Standing {
  User user;
  Credits balance;
  /// When the last of the user's sessions ended; nullopt: none ever did.
  std::optional<WallTime> last_session_end;
  /// On all nodes together, counted up to the limit that was asked for; 0 where none was.
  std::int64_t live_sessions = 0;
};

/// How far a node has read what others changed. Only the ledger knows what it means.
struct ChangeMark {
  std::int64_t users = 0;
  std::int64_t ends = 0;
  bool operator==(const ChangeMark&) const = default;
};

/// A user as the operator sees him.
struct UserOverview {
  User user;
  Credits balance;
  std::int64_t live_sessions = 0;
};

// ---- client addresses

/// A block of client addresses that a user has listed as his own; see client_network.h.
struct ListedNetwork {
  Cidr network;
  WallTime added_at{};
  /// Since when who comes from there is that user: since his right token was shown from inside it, or the
  /// operator listed it for him. Anybody can list any address, and it would be a nuisance to whom it belongs.
  std::optional<WallTime> confirmed_at{};
};
enum class NetworkClaim {
  of_user,      ///< to be confirmed
  of_operator,  ///< confirmed
};
/// So many a user may list.
inline constexpr std::size_t most_listed_networks = 32;

/// All that a user has listed, as it stood behind some change of his.
struct NetworkList {
  UserId user;
  std::string user_name;
  /// Of two lists of one user, the one with the higher number is the newer one.
  std::int64_t change = 0;
  std::vector<ListedNetwork> networks;  ///< IPv4 first, in the order of the addresses
};

struct NetworkChange {
  enum class Outcome {
    changed,
    as_before,  ///< it was so already
  };
  Outcome outcome = Outcome::changed;
  NetworkList list;  ///< as it is now
};

// ---- metering

std::string_view name_of(EndReason reason) noexcept;

/// What becomes of a request whose user somebody else has locked.
enum class Turn {
  if_free,  ///< it is left out: nobody is held up
  /// It stands in line for Ledger::in_line_wait: who never does may find the user locked again and again.
  /// Only for a request that is alone in its call; others are left out.
  in_line,
};

/// One increment that one session wants to buy. Sending the same (session, number) again is always safe.
struct ChargeRequest {
  UserId user;
  SessionId session;
  std::uint32_t number = 0;  ///< 1, 2, 3 … within the session; 1 starts it
  Credits price;             ///< of the whole increment
  std::chrono::milliseconds increment{0};
  Rate rate = Rate::from_thousandths(1);
  WallTime from{};  ///< when the increment begins, for people to read
  // Kept with charge 1 and ignored later:
  std::string label;
  std::string exit;
  Turn turn = Turn::if_free;
  /// Of charge 1: how many live sessions the user may have on all nodes, this one included; 0: any number.
  std::uint32_t session_limit = 0;
};
/// A session_limit is at most this, so that counting up to it stays cheap.
inline constexpr std::uint32_t most_counted_sessions = 10'000;

/// A session by the two ids that name it.
struct SessionKey {
  UserId user;
  SessionId session;
  bool operator==(const SessionKey&) const = default;

  struct Hash {
    std::size_t operator()(const SessionKey& key) const noexcept {
      // The session's number is random already; the user's, which is not, tells the few apart that share one.
      return std::hash<SessionId>{}(key.session) ^ (std::hash<UserId>{}(key.user) * 0x9e3779b97f4a7c15U);
    }
  };
};

/// Which charge of which session.
struct ChargeKey {
  UserId user;
  SessionId session;
  std::uint32_t number = 0;
  auto operator<=>(const ChargeKey&) const = default;
};

struct ChargeResult {
  enum class Outcome {
    granted,    ///< amount and grant say what was bought; grant > 0
    exhausted,  ///< grant is 0. amount is what was left (dust below a millisecond's price), nearly always 0
    /// The session has ended, or its user is gone or disabled: do not relay and do not ask again.
    fenced,
    too_many,  ///< charge 1 of one session more than session_limit: nothing was charged, no row was made
    later,     ///< somebody else has the user locked at the moment: nothing was done, ask again soon
  };
  /// Whether this call bought it, or an earlier one did and this is its answer again.
  enum class Origin { bought, stored };
  Outcome outcome = Outcome::fenced;
  Credits amount;
  std::chrono::milliseconds grant{0};
  Credits balance;  ///< after the charge
  Origin origin = Origin::bought;
};

/// Who ends a session: the node that it runs on, or somebody of whom that node has to be told.
enum class EndedBy { its_node, somebody_else };

struct EndRequest {
  UserId user;
  SessionId session;
  EndReason why = EndReason::idle;
  WallTime at{};
  Turn turn = Turn::if_free;
  EndedBy by = EndedBy::its_node;
};

enum class EndOutcome {
  ended,  ///< also when it had ended before, or never had a row
  later,  ///< as ChargeResult::Outcome::later
};

struct EndResult {
  EndOutcome outcome = EndOutcome::ended;
  Credits posted;  ///< by this call, to the user's history
  bool operator==(const EndResult&) const = default;
};

/// A session as the table shows it.
struct SessionRow {
  UserId user;
  std::string user_name;
  SessionId id;
  std::string node;
  std::string label;
  std::string exit;
  WallTime started_at{};
  WallTime paid_until{};
  std::uint32_t charges = 0;
  Credits charged;
  std::chrono::milliseconds granted{0};
  std::optional<WallTime> ended_at{};  ///< nullopt: it is live
  std::string why{};                   ///< it ended: the name of an EndReason
};

/// Where a page of ended sessions goes on: behind this one.
struct EndedBefore {
  WallTime ended_at{};
  SessionId id;
  bool operator==(const EndedBefore&) const = default;
};

/// What a node begins its life with.
struct NodeStart {
  NodeLife life{};
  std::vector<SessionKey> left_open;  ///< to be ended (EndReason::node_lost); by users
};

/// What others have changed that a node has to know, and who the nodes are.
struct Changes {
  std::vector<User> users;            ///< as they are now, in the order of their last change
  std::vector<NetworkList> networks;  ///< of each of these users
  std::vector<SessionId> ended;       ///< sessions of the node
  std::vector<NodeSign> nodes;        ///< all of them, in no order
  ChangeMark upto;                    ///< what to ask from next
};

/// What became of one portion of a lost node's sessions.
struct LostPortion {
  enum class Next {
    done,  ///< none of its sessions is open any more
    /// Ask again: the portion was full, or somebody has a user locked, or is at it too, or a charge of the
    /// node is under way.
    more,
    spared,  ///< it has renewed its lease, or started again: nothing was done
  };
  Next next = Next::done;
  std::int64_t sessions = 0;  ///< that this call ended
  Credits posted;             ///< to their users' histories
};

/// What is left after one portion of a node's usage was posted.
enum class Posting {
  done,  ///< nothing, or only what belongs to users who are locked: it is for the next time
  more,  ///< ask again
};

// ---- money in

enum class TransactionType { purchase, bonus, usage, refund, adjustment };
std::string_view name_of(TransactionType type) noexcept;
std::optional<TransactionType> parse_transaction_type(std::string_view name) noexcept;

struct Transaction {
  std::int64_t id = 0;  ///< rises with time within a user
  TransactionType type = TransactionType::purchase;
  Credits amount;  ///< above zero: added; below: taken
  std::string reference;
  std::string note;
  WallTime created_at{};
};

/// Which rows of a history are asked for.
struct TransactionFilter {
  std::set<TransactionType> types{};  ///< none: all of them
  WallTime since{};                   ///< at or after it
  WallTime until = WallTime::max();   ///< before it
};

// ---- reports

enum class UsageBucket { hour, day };

/// Usage that was posted within one bucket (UTC). What live sessions have been charged and not yet posted
/// counts in the bucket of the moment of asking.
struct UsageRow {
  WallTime from{};
  std::chrono::milliseconds time{0};
  Credits amount;
};

/// One row that breaks an invariant.
struct AuditFinding {
  std::string invariant;  ///< "I1", "I2", "I3", "I4"
  std::string subject;    ///< which user, order or session
  std::string detail;     ///< what was found and what should be there, in units
};

struct AuditReport {
  std::int64_t users = 0;
  std::int64_t transactions = 0;
  std::int64_t sessions = 0;
  std::int64_t orders = 0;
  std::int64_t found = 0;              ///< findings in all; 0: the books are right
  std::vector<AuditFinding> findings;  ///< as many as were asked for
};

/// How many findings an audit lists; it counts all of them.
enum class AuditListing {
  some,  ///< up to a thousand of each kind: enough to see what happened, whatever it was
  all,   ///< every row that is wrong, which may be any number
};

/// The books: who has how much, who is connected, who paid. The only place with SQL.
///
/// Every call blocks until the database has answered, so it is made on ledger threads only; one Ledger is
/// used by one thread at a time. Every write is one transaction: done when the call returns ok, not done at
/// all when it returns anything but `unavailable`, unknown when it returns `unavailable` (the connection may
/// have died between COMMIT and its answer) — and every write can be sent again as it was, without being
/// applied twice. A lost connection is opened again by the next call.
class Ledger : public PaymentBooks {
 public:
  /// How long a call waits for a database that says nothing, before it is `unavailable`: for a new connection
  /// and for the answer together. All calls but migrate() and audit(), which may work for minutes. No bound
  /// of a database that is slow but answers, nor where a host of the URL has several addresses or the URL has
  /// a connect_timeout of its own. Of many hosts that are silent at once a call asks some, and the next one
  /// others.
  static constexpr std::chrono::seconds longest_silence{21};
  /// How long a request that stands in line waits for its user: see Turn.
  static constexpr std::chrono::milliseconds in_line_wait{50};

  /// Brings the schema up to date, under a lock so that many nodes may start at once. Returns the schema's
  /// number. The one call that makes a ledger where there is none: to the others a SQLite file that is
  /// missing is `unavailable`.
  virtual LedgerResult<int> migrate() = 0;
  /// The schema's number as it is; 0: there is no ledger yet, which may be an empty database, a database of
  /// somebody else's, or no file at all. Makes none.
  virtual LedgerResult<int> schema() = 0;

  // -- users. Names are compared as they are stored: lower case.
  /// already_exists when the name is taken, unless by the very same token and e-mail.
  virtual LedgerResult<User> create_user(std::string_view name, std::string_view email,
                                         const TokenHash& token, WallTime at) = 0;
  virtual LedgerResult<Done> set_token(UserId user, const TokenHash& token, WallTime at) = 0;
  /// Networks of whoever is disabled are to be confirmed again, and keep nobody else's out meanwhile.
  virtual LedgerResult<Done> set_state(UserId user, UserState state, WallTime at) = 0;
  virtual LedgerResult<User> find_user(std::string_view name) = 0;
  virtual LedgerResult<User> find_user(const TokenHash& token) = 0;
  /// In the order of their names.
  virtual LedgerResult<std::vector<UserOverview>> list_users() = 0;
  /// Where the user's way out stands when he asks for none; nowhere in particular, when it is empty.
  /// `invalid` unless its fields keep the grammar of user names.
  virtual LedgerResult<Done> set_location(UserId user, const plugin::Location& location, WallTime at) = 0;
  /// One entry for each name, in order; nullopt: nobody has that name. `session_limit` as in ChargeRequest:
  /// live sessions are counted up to it, and not at all where there is none.
  virtual LedgerResult<std::vector<std::optional<Standing>>> standings(std::span<const std::string> names,
                                                                       std::uint32_t session_limit) = 0;

  // -- client addresses
  /// Lists a network as the user's own; twice is once, and the operator's claim confirms what the user has
  /// listed. already_exists when it overlaps with a confirmed one of another user: of two whose networks are
  /// confirmed at the same moment the first one has it, for every node. A user's own may overlap. too_many
  /// beyond most_listed_networks; `invalid` unless is_client_network().
  virtual LedgerResult<NetworkChange> add_network(UserId user, const Cidr& network, NetworkClaim claim,
                                                  WallTime at) = 0;
  /// The user's right token was shown from inside. already_exists as above; not_found: he has not listed it.
  /// As before, and not confirmed, while he is disabled.
  virtual LedgerResult<NetworkChange> confirm_network(UserId user, const Cidr& network, WallTime at) = 0;
  /// One that the user has not listed is as_before.
  virtual LedgerResult<NetworkChange> remove_network(UserId user, const Cidr& network, WallTime at) = 0;
  /// The list of one user, or those of all who have listed any, in no order.
  virtual LedgerResult<std::vector<NetworkList>> networks(std::optional<UserId> user) = 0;

  // -- nodes
  /// Announces a node, before its first charge: begins a life of it and its lease. Two processes by one name
  /// cannot both be it: whoever started last is, and the other one is told life_is_over. Comes between no
  /// charge of the earlier life and its COMMIT: a charge is in left_open, or it is refused so. Waits for
  /// those that are under way, a while at most: `unavailable` then.
  virtual LedgerResult<NodeStart> start_node(std::string_view node, std::chrono::milliseconds lease,
                                             WallTime at) = 0;
  /// Raises the node's beat; from here on its lease is this long. May be told life_is_over.
  virtual LedgerResult<Done> renew_lease(const NodeRef& node, std::chrono::milliseconds lease) = 0;
  /// What was changed since that mark was given: users who were made, or of whom anything was changed, with
  /// what they have listed, and sessions of `node` that somebody else ended. Each change that was not visible
  /// then, whatever the clocks of those who made it show. nullopt: nothing, only the mark to begin with. One
  /// round trip, cheap however many users and sessions there are: asked several times a second.
  virtual LedgerResult<Changes> changes_since(std::string_view node, std::optional<ChangeMark> mark) = 0;
  /// Ends a portion of the open sessions of a node that was seen silent with this sign, as
  /// EndReason::node_lost by EndedBy::somebody_else, unless it has given another sign since, which cannot
  /// come in between. Waits for nobody who has one of the users locked, but is `done` only when no charge of
  /// the node is under way. Several may do this at once; each session ends once.
  virtual LedgerResult<LostPortion> end_lost_sessions(const NodeSign& last_sign, WallTime at) = 0;

  // -- metering
  /// Buys increments, in one round trip and one transaction, users' rows locked in the order of their ids.
  /// One result for each request, in order. Charge n is granted only when n-1 is the last one in the table;
  /// when n already is the last one, the stored answer is given again. Charge 1 creates the session's row;
  /// when it finds no balance at all (amount 0) no row is made. A request with any other number is fenced.
  /// life_is_over: none of them is charged, nor told what it bought before. What was never charged is still
  /// owed then, and the next life of the node may charge it. Sessions count for a session_limit from their
  /// charge 1 to their end, also within one call; a session that finds neither balance nor room may be told
  /// either. Waits for nobody who has one of the users locked: those are answered `later`, the others as
  /// ever. Only a request that is alone may stand in line. REQUIRES: at most one request for each session;
  /// the sessions run on `node`.
  virtual LedgerResult<std::vector<ChargeResult>> charge(const NodeRef& node,
                                                         std::span<const ChargeRequest> requests) = 0;
  /// Ends sessions and posts what they were charged and have not posted. Ending what has ended, or never had
  /// a row, is no error and changes nothing. One result for each request, in order; waits as charge() does.
  virtual LedgerResult<std::vector<EndResult>> end_sessions(std::span<const EndRequest> requests) = 0;
  /// Posts the usage of a portion of the node's live sessions that were last posted (or started) at or before
  /// `older_than`, so that nobody's charges wait for long. Leaves out who is locked.
  virtual LedgerResult<Posting> post_usage(std::string_view node, WallTime older_than, WallTime at) = 0;
  /// Live sessions, oldest first; of one user, or of all.
  virtual LedgerResult<std::vector<SessionRow>> live_sessions(std::optional<UserId> user) = 0;
  /// The user's sessions that have ended, the last one first. REQUIRES: 1 <= limit <= 10,000.
  virtual LedgerResult<std::vector<SessionRow>> ended_sessions(UserId user, std::optional<EndedBefore> before,
                                                               int limit) = 0;

  // -- money in
  virtual LedgerResult<Credits> balance(UserId user) = 0;
  /// Live sessions are not counted.
  virtual LedgerResult<Standing> standing(UserId user) = 0;
  /// Adds (or, below zero, takes) credits by an operator. `reference` makes it happen once: the same again
  /// answers the same, with another amount or note it is a conflict. insufficient when it would leave less
  /// than zero.
  virtual LedgerResult<Transaction> adjust(UserId user, Credits amount, std::string_view reference,
                                           std::string_view note, WallTime at) = 0;

  // -- reports
  /// Newest first; those with an id below `before`, if given. REQUIRES: 1 <= limit <= 10,000.
  virtual LedgerResult<std::vector<Transaction>> transactions(UserId user, const TransactionFilter& filter,
                                                              std::optional<std::int64_t> before,
                                                              int limit) = 0;
  /// Oldest first; only buckets in which anything was used.
  virtual LedgerResult<std::vector<UsageRow>> usage(UserId user, UsageBucket bucket, WallTime since,
                                                    WallTime now) = 0;
  /// Proves in one consistent read that holds up nobody: I1 and I2; I4; and of I3 what the rows can show,
  /// that no row of a history is there twice and that each session agrees with itself and with its usage
  /// rows.
  virtual LedgerResult<AuditReport> audit(AuditListing listing = AuditListing::some) = 0;
};

/// Ends one session for somebody who is not its node; `unavailable` when its outcome is `later`.
LedgerResult<Done> end_one_session(Ledger& ledger, const EndRequest& request);

/// Makes a Ledger of its own for each thread that wants one. Thread-safe.
using LedgerFactory = std::function<std::unique_ptr<Ledger>()>;

/// "sqlite:PATH" (":memory:" is refused) or "postgresql://…" / "postgres://…". The error names what was
/// expected. Nothing is opened yet: a Ledger connects with its first call.
Result<LedgerFactory, std::string> open_ledger(std::string_view url);

}  // namespace payg::billing
