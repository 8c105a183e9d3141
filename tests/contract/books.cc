#include "tests/contract/books.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "tests/support/one_minute.h"
#include "tests/support/postgres_server.h"

namespace payg::test {
namespace {

class SqliteBooks final : public Books {
 public:
  SqliteBooks() {
    std::string folder = std::filesystem::temp_directory_path() / "payg-books-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("mkdtemp " + folder);
    folder_ = folder;
    std::filesystem::create_directory(folder_ + "/a folder");
  }
  ~SqliteBooks() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string url() const override { return "sqlite:" + file(); }
  std::string run(const std::string& sql) override {
    sqlite3* handle = nullptr;
    sqlite3_open(file().c_str(), &handle);
    sqlite3_exec(handle, "PRAGMA ignore_check_constraints = ON", nullptr, nullptr, nullptr);
    std::string first;
    char* message = nullptr;
    sqlite3_exec(handle, sql.c_str(), keep_first_field, &first, &message);
    const std::string why = message == nullptr ? "" : message;
    sqlite3_free(message);
    sqlite3_close(handle);
    if (!why.empty()) throw std::runtime_error(sql + ": " + why);
    return first;
  }

 private:
  std::string file() const { return folder_ + "/a folder/payg.db"; }
  static int keep_first_field(void* first, int, char** fields, char**) {
    *static_cast<std::string*>(first) = fields[0] == nullptr ? "" : fields[0];
    return 0;
  }

  std::string folder_;
};

class PostgresBooks final : public Books {
 public:
  std::string url() const override { return database_.url(); }
  std::string run(const std::string& sql) override {
    database_.run("ALTER TABLE IF EXISTS user_credits DROP CONSTRAINT IF EXISTS user_credits_balance_check");
    return database_.run(sql);
  }

 private:
  PostgresDatabase database_;
};

}  // namespace

std::unique_ptr<Ledger> Books::open() const {
  auto factory = open_ledger(url());
  if (!factory) throw std::runtime_error(factory.error());
  return (*factory)();
}

std::unique_ptr<Books> make_books(Engine engine) {
  if (engine == Engine::sqlite) return std::make_unique<SqliteBooks>();
  return std::make_unique<PostgresBooks>();
}

TokenHash token_of(std::string_view text) {
  TokenHash token{};
  std::copy_n(text.begin(), std::min(text.size(), token.size()), token.begin());
  return token;
}

ChargeRequest minute(const User& user, SessionId session, std::uint32_t number) {
  return one_minute(user.id, session, number, new_year + std::chrono::minutes(number - 1));
}

EndRequest ending(const User& user, SessionId session, WallTime at, EndReason why) {
  return {.user = user.id, .session = session, .why = why, .at = at};
}

NodeRef newest_life(Ledger& ledger, std::string_view name) {
  for (const NodeSign& sign : value_of(ledger.changes_since(name, std::nullopt)).nodes)
    if (sign.node == name && sign.life) return {sign.node, sign.life};
  return {std::string(name), value_of(ledger.start_node(name, lease, new_year)).life};
}

LedgerResult<ChargeResult> charge_in_the_end(Ledger& ledger, const NodeRef& on_node,
                                             const ChargeRequest& request) {
  for (;;) {
    const auto results = ledger.charge(on_node, std::span(&request, 1));
    if (!results) return results.error();
    if (results->front().outcome != ChargeResult::Outcome::later) return results->front();
  }
}

LedgerResult<Done> end_in_the_end(Ledger& ledger, const EndRequest& request) {
  for (;;) {
    const auto results = ledger.end_sessions(std::span(&request, 1));
    if (!results) return results.error();
    if (results->front().outcome == EndOutcome::ended) return Done{};
  }
}

Order order_of(const User& user, std::string reference) {
  return {.reference = std::move(reference),
          .user = user.id,
          .provider = "simulated",
          .price = credits(25),
          .currency = "USD",
          .credits = credits(25),
          .bonus = credits(2),
          .idempotency_key = "",
          .request_digest = "",
          .authorization_url = "",
          .created_at = new_year,
          .paid_at = std::nullopt};
}

void LedgerContract::SetUp() {
  books_ = make_books(GetParam());
  ledger_ = books_->open();
  value_of(ledger_->migrate());
}

void LedgerContract::TearDown() {
  if (audit_at_the_end_ == AuditAtTheEnd::yes && ledger_) expect_clean_books();
}

User LedgerContract::user_with(std::string_view name, Credits balance) {
  const User user =
      value_of(ledger().create_user(name, std::string(name) + "@example.com", token_of(name), new_year));
  if (balance > Credits()) value_of(ledger().adjust(user.id, balance, "start", "for the test", new_year));
  return user;
}

ChargeResult LedgerContract::charge(const ChargeRequest& request) {
  return value_of(ledger().charge(newest_life(ledger(), node), std::span(&request, 1))).at(0);
}

void LedgerContract::end(const EndRequest& request) {
  value_of(end_one_session(ledger(), request));
}

void LedgerContract::expect_clean_books() {
  for (const AuditFinding& finding : value_of(ledger().audit()).findings) {
    ADD_FAILURE() << finding.invariant << " " << finding.subject << ": " << finding.detail;
  }
}

Credits LedgerContract::total(const User& user, TransactionType type) {
  std::int64_t sum = 0;
  for (const Transaction& transaction : value_of(ledger().transactions(user.id, {}, std::nullopt, 10'000))) {
    if (transaction.type == type) sum += transaction.amount.units();
  }
  return units(sum);
}

std::string engine_name(const testing::TestParamInfo<Engine>& info) {
  return info.param == Engine::sqlite ? "SQLite" : "PostgreSQL";
}

}  // namespace payg::test
