#include "tests/bench/audit.h"

#include <atomic>
#include <exception>
#include <stdexcept>
#include <thread>

#include "tests/bench/large_ledger.h"

namespace payg::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t sessions_of_a_batch = 50;
constexpr std::chrono::seconds time_before{1};

std::chrono::milliseconds since(Clock::time_point begun) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
}

/// Charges the same sessions again and again, as a node does, until it is told to stop.
class Charging {
 public:
  explicit Charging(const test::Books& books) : books_(books) {
    thread_ = std::thread([this] { run(); });
  }

  void audit_begins() { auditing_ = true; }
  /// Throws what went wrong, if anything has.
  void finish(AuditResult& result) {
    stopping_ = true;
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    result.charges_before = std::move(before_);
    result.charges_during = std::move(during_);
  }

 private:
  void run() {
    try {
      const auto ledger = books_.open();
      const billing::NodeRef self = test::newest_life(*ledger, test::node);
      for (std::uint32_t round = 1; !stopping_; ++round) charge(*ledger, self, round);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void charge(billing::Ledger& ledger, const billing::NodeRef& self, std::uint32_t round) {
    std::vector<billing::ChargeRequest> batch;
    for (std::int64_t user = 1; user <= sessions_of_a_batch; ++user)
      batch.push_back(next_charge(user, round));
    const bool during = auditing_;
    const auto begun = Clock::now();
    const auto results = test::value_of(ledger.charge(self, batch));
    (during ? during_ : before_).push_back(Clock::now() - begun);
    for (const auto& result : results) {
      if (result.outcome != billing::ChargeResult::Outcome::granted)
        throw std::runtime_error("a charge beside the audit was not granted");
    }
  }

  const test::Books& books_;
  std::vector<std::chrono::nanoseconds> before_, during_;  // the thread's, until it has been joined
  std::exception_ptr failure_;                             // likewise
  std::atomic<bool> auditing_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace

AuditResult measure_audit(test::Engine engine, std::int64_t users) {
  AuditResult result;
  result.ledger = engine == test::Engine::sqlite ? "SQLite" : "PostgreSQL";
  const auto books = test::make_books(engine);
  const auto ledger = books->open();
  test::value_of(ledger->migrate());
  auto begun = Clock::now();
  fill_with_users(*books, engine, users);
  result.filled_in = since(begun);

  Charging charging(*books);
  std::this_thread::sleep_for(time_before);
  charging.audit_begins();
  begun = Clock::now();
  auto report = ledger->audit();
  result.took = since(begun);
  charging.finish(result);
  result.report = test::value_of(std::move(report));
  return result;
}

}  // namespace payg::bench
