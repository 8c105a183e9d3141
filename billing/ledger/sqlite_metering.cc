#include "billing/ledger/sqlite_ledger.h"
#include "billing/ledger/sqlite_rows.h"

namespace payg::billing {

using Kind = SqliteTransaction::Kind;
using sqlite::read_unposted;
using sqlite::Unposted;

namespace {

using Milliseconds = std::chrono::milliseconds;

struct StoredSession {
  std::string node;
  std::int64_t number = 0;
  Purchase last;
  bool live = false;
};

std::optional<StoredSession> find_session(SqliteTransaction& transaction, UserId user, SessionId session) {
  auto rows = transaction.select(
      "SELECT node, charge_number, last_amount, last_grant, ended_at FROM metered_sessions"
      " WHERE user_id = ? AND session_id = ?",
      to_integer(user), to_integer(session));
  if (!rows.next()) return std::nullopt;
  return StoredSession{.node = rows.text(0),
                       .number = rows.integer(1),
                       .last = {rows.credits(2), rows.milliseconds(3)},
                       .live = rows.is_null(4)};
}

/// The balance of a user who may buy; nullopt: unknown or disabled.
std::optional<Credits> spendable(SqliteTransaction& transaction, UserId user) {
  auto rows = transaction.select(
      "SELECT c.balance FROM users u JOIN user_credits c ON c.user_id = u.user_id"
      " WHERE u.user_id = ? AND u.state = 'active'",
      to_integer(user));
  return rows.next() ? std::optional(rows.credits(0)) : std::nullopt;
}

void start_session(SqliteTransaction& transaction, std::string_view node, const ChargeRequest& request,
                   const Purchase& bought) {
  const std::int64_t amount = bought.amount.units(), grant = bought.grant.count(), from = to_ms(request.from);
  transaction.execute(
      "INSERT INTO metered_sessions (user_id, session_id, node, label, exit, charge_number, last_amount, "
      "last_grant,"
      " charged, posted, granted, granted_posted, started_at, paid_until, last_posted_at)"
      " VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, 0, ?, 0, ?, ?, ?)",
      to_integer(request.user), to_integer(request.session), node, std::string_view(request.label),
      std::string_view(request.exit), amount, grant, amount, grant, from, from + grant, from);
}

void continue_session(SqliteTransaction& transaction, const ChargeRequest& request, const Purchase& bought) {
  const std::int64_t amount = bought.amount.units(), grant = bought.grant.count();
  transaction.execute(
      "UPDATE metered_sessions SET charge_number = ?, last_amount = ?, last_grant = ?, charged = charged + ?,"
      " granted = granted + ?, paid_until = ? WHERE user_id = ? AND session_id = ?",
      std::int64_t{request.number}, amount, grant, amount, grant, to_ms(request.from) + grant,
      to_integer(request.user), to_integer(request.session));
}

/// Counted up to the limit; a session without a row is none of them.
bool has_room(SqliteTransaction& transaction, const ChargeRequest& request) {
  if (request.session_limit == 0) return true;
  auto rows = transaction.select(
      "SELECT count(*) FROM (SELECT 1 FROM metered_sessions WHERE user_id = ? AND ended_at IS NULL LIMIT ?)",
      to_integer(request.user), std::int64_t{request.session_limit});
  return rows.next() && rows.integer(0) < std::int64_t{request.session_limit};
}

bool is_newest_life(SqliteTransaction& transaction, const NodeRef& node) {
  auto rows = transaction.select("SELECT 1 FROM nodes WHERE node = ? AND life = ?",
                                 std::string_view(node.name), to_integer(node.life));
  return rows.next();
}

ChargeResult fence(std::optional<Credits> balance) {
  return {.outcome = ChargeResult::Outcome::fenced, .amount = {}, .balance = balance.value_or(Credits())};
}

ChargeResult charge_one(SqliteTransaction& transaction, std::string_view node, const ChargeRequest& request) {
  const auto balance = spendable(transaction, request.user);
  if (!balance) return fence(balance);
  const auto stored = find_session(transaction, request.user, request.session);
  if (stored && (!stored->live || stored->node != node)) return fence(balance);
  const std::int64_t last_number = stored ? stored->number : 0;
  if (stored && request.number == last_number) {
    return {outcome_of(stored->last.grant), stored->last.amount, stored->last.grant, *balance,
            ChargeResult::Origin::stored};
  }
  if (request.number != last_number + 1) return fence(balance);

  const Purchase bought = purchase(*balance, request.price, request.increment, request.rate);
  const auto rest = Credits::from_units(balance->units() - bought.amount.units());
  // Nothing was there to take: it leaves no trace, and the same charge may be asked again after a top-up.
  if (bought.amount == Credits()) return {ChargeResult::Outcome::exhausted, {}, Milliseconds(0), rest};
  if (!stored && !has_room(transaction, request))
    return {.outcome = ChargeResult::Outcome::too_many, .amount = {}, .balance = *balance};
  if (stored) {
    continue_session(transaction, request, bought);
  } else {
    start_session(transaction, node, request, bought);
  }
  transaction.execute("UPDATE user_credits SET balance = ?, updated_at = ? WHERE user_id = ?", rest.units(),
                      to_ms(request.from), to_integer(request.user));
  return {outcome_of(bought.grant), bought.amount, bought.grant, rest};
}

void post(SqliteTransaction& transaction, const Unposted& due, WallTime at) {
  if (due.amount > Credits()) {
    const std::string reference = "session-" + to_string(due.session) + "-" + std::to_string(due.number);
    sqlite::append(transaction, {.user = due.user,
                                 .type = TransactionType::usage,
                                 .amount = Credits::from_units(-due.amount.units()),
                                 .reference = reference,
                                 .time = due.time,
                                 .at = at});
  }
  transaction.execute(
      "UPDATE metered_sessions SET posted = charged, granted_posted = granted, last_posted_at = ?"
      " WHERE user_id = ? AND session_id = ?",
      to_ms(at), to_integer(due.user), to_integer(due.session));
}

}  // namespace

Unposted sqlite::read_unposted(const SqliteTransaction::Rows& row) {
  return {to_user_id(row.integer(0)), to_session_id(row.integer(1)), row.integer(2), row.credits(3),
          row.milliseconds(4)};
}

void sqlite::end_session(SqliteTransaction& transaction, const Unposted& due, const EndRequest& request) {
  post(transaction, due, request.at);
  transaction.execute(
      "UPDATE metered_sessions SET ended_at = ?, why = ? WHERE user_id = ? AND session_id = ?",
      to_ms(request.at), name_of(request.why), to_integer(due.user), to_integer(due.session));
  if (request.by == EndedBy::its_node) return;
  // Writers come one after the other, so these numbers rise in the order in which the ends become visible.
  transaction.execute(
      "UPDATE metered_sessions SET end_change = (SELECT coalesce(max(end_change), 0) + 1 FROM "
      "metered_sessions"
      "                                          WHERE end_change IS NOT NULL)"
      " WHERE user_id = ? AND session_id = ?",
      to_integer(due.user), to_integer(due.session));
}

LedgerResult<std::vector<ChargeResult>> SqliteLedger::charge(const NodeRef& node,
                                                             std::span<const ChargeRequest> requests) {
  if (requests.empty()) return std::vector<ChargeResult>();
  for (const ChargeRequest& request : requests) {
    if (auto refusal = check_charge(request)) return *refusal;
  }
  SqliteTransaction transaction(database_, Kind::write);
  // Writers come one after the other, so that it goes on for as long as this takes.
  const bool goes_on = is_newest_life(transaction, node);
  if (!goes_on && !transaction.failed()) return life_is_over();
  std::vector<ChargeResult> results;
  results.reserve(requests.size());
  for (const ChargeRequest& request : requests)
    results.push_back(charge_one(transaction, node.name, request));
  if (auto done = transaction.commit(); !done) return done.error();
  return results;
}

LedgerResult<std::vector<EndResult>> SqliteLedger::end_sessions(std::span<const EndRequest> requests) {
  SqliteTransaction transaction(database_, Kind::write);
  std::vector<EndResult> results;
  for (const EndRequest& request : requests) {
    std::optional<Unposted> due;
    {
      auto rows =
          transaction.select(PAYG_UNPOSTED "WHERE user_id = ? AND session_id = ? AND ended_at IS NULL",
                             to_integer(request.user), to_integer(request.session));
      if (rows.next()) due = read_unposted(rows);
    }
    if (due) sqlite::end_session(transaction, *due, request);
    results.push_back({.posted = due ? due->amount : Credits()});
  }
  if (auto done = transaction.commit(); !done) return done.error();
  return results;
}

LedgerResult<Posting> SqliteLedger::post_usage(std::string_view node, WallTime older_than, WallTime at) {
  SqliteTransaction transaction(database_, Kind::write);
  std::vector<Unposted> due;
  {
    // One more than a portion says whether that is all.
    auto rows = transaction.select(
        PAYG_UNPOSTED
        "WHERE node = ? AND ended_at IS NULL AND last_posted_at <= ? AND charged > posted LIMIT ?",
        node, to_ms(older_than), std::int64_t{posting_portion + 1});
    while (rows.next()) due.push_back(read_unposted(rows));
  }
  const Posting next = due.size() > posting_portion ? Posting::more : Posting::done;
  if (next == Posting::more) due.pop_back();
  for (const Unposted& session : due) post(transaction, session, at);
  if (auto done = transaction.commit(); !done) return done.error();
  return next;
}

SessionRow sqlite::read_session(const SqliteTransaction::Rows& row) {
  const auto ended_at = row.maybe_integer(11);
  return {.user = to_user_id(row.integer(0)),
          .user_name = row.text(1),
          .id = to_session_id(row.integer(2)),
          .node = row.text(3),
          .label = row.text(4),
          .exit = row.text(5),
          .started_at = from_ms(row.integer(6)),
          .paid_until = from_ms(row.integer(7)),
          .charges = static_cast<std::uint32_t>(row.integer(8)),
          .charged = row.credits(9),
          .granted = row.milliseconds(10),
          .ended_at = ended_at ? std::optional(from_ms(*ended_at)) : std::nullopt,
          .why = row.text(12)};
}

LedgerResult<std::vector<SessionRow>> SqliteLedger::live_sessions(std::optional<UserId> user) {
  SqliteTransaction transaction(database_, Kind::read);
  const auto wanted = user ? std::optional(to_integer(*user)) : std::nullopt;
  std::vector<SessionRow> sessions;
  {
    auto rows = transaction.select(
        PAYG_SESSION
        " WHERE s.ended_at IS NULL AND (?1 IS NULL OR s.user_id = ?1) ORDER BY s.started_at, s.session_id",
        wanted);
    while (rows.next()) sessions.push_back(sqlite::read_session(rows));
  }
  if (auto done = transaction.commit(); !done) return done.error();
  return sessions;
}

}  // namespace payg::billing
