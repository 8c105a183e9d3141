#include <libpq-fe.h>

#include "billing/ledger/postgres_ledger.h"
#include "billing/ledger/sqlite_ledger.h"

namespace payg::billing {
namespace {

/// Tells how long connecting took, and decides nothing else.
const SystemClock machine_clock;

constexpr std::string_view sqlite_prefix = "sqlite:";
constexpr std::string_view expected = "expected \"sqlite:PATH\" or \"postgresql://…\"";

/// What is wrong with it; empty: nothing. Never repeats the URL, which may hold a password.
std::string check_postgres_url(const std::string& url) {
  char* message = nullptr;
  PQconninfoOption* const options = PQconninfoParse(url.c_str(), &message);
  if (options != nullptr) {
    PQconninfoFree(options);
    return {};
  }
  PQfreemem(message);
  return "not a connection URL that libpq understands, " + std::string(expected);
}

}  // namespace

Result<LedgerFactory, std::string> open_ledger(std::string_view url) {
  if (url.starts_with(sqlite_prefix)) {
    std::string path(url.substr(sqlite_prefix.size()));
    if (path.empty() || path.starts_with(":memory:")) {
      return std::string("the books need a file: expected \"sqlite:PATH\"");
    }
    return LedgerFactory([path] { return std::make_unique<SqliteLedger>(path); });
  }
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) {
    std::string copy(url);
    if (auto mistake = check_postgres_url(copy); !mistake.empty()) return mistake;
    return LedgerFactory([hosts = std::make_shared<PostgresHosts>(std::move(copy))] {
      return std::make_unique<PostgresLedger>(hosts, machine_clock);
    });
  }
  return std::string(expected);
}

}  // namespace payg::billing
