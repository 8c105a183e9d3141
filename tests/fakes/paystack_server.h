#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/harness/admin_client.h"
#include "tests/support/harness/origin.h"

namespace payg::test {

/// A webhook as it goes out: what it says, and what signs it.
struct SignedEvent {
  std::string body;
  std::string signature;
};

/// Stands in for Paystack: a real HTTP server on a loopback port that keeps payments as Paystack does, signs
/// its webhooks, and does wrong what it is told to. It sends no webhook by itself; a test sends each one when
/// it wants, as often as it wants. Any thread.
class PaystackServer {
 public:
  enum class Call { initialize, verify };
  /// What becomes of a call.
  enum class Mishap {
    none,
    lost,          ///< it never arrived: nothing is done, and nothing answered
    silence,       ///< it is done, and never answered
    html,          ///< a page, with status 200
    megabytes,     ///< JSON that does not end for ten of them
    cut,           ///< the connection closes in the middle of the answer
    server_error,  ///< 500, with an error in JSON
    invalid_key,   ///< 401
    refusal,       ///< 400, for no reason that it tells programs
    throttled,     ///< 429
    nonsense,      ///< JSON, 200, and nothing of what is expected in it
  };
  /// A payment as it is kept, and as verify and webhooks tell it.
  struct Payment {
    std::string reference;
    std::int64_t amount = 0;  ///< in subunits
    std::string currency;
    std::string status = "abandoned";  ///< Paystack's word for: not paid (yet)
    std::string email;
    std::string callback_url;
    std::string told_reference{};   ///< what verify says the reference is; empty: the truth
    std::string metadata = "\"\"";  ///< as JSON
  };
  using Hook = std::function<void()>;

  explicit PaystackServer(std::string secret_key = "sk_test_of_the_stand_in");

  std::string base_url() const { return "http://" + server_.authority(); }
  const std::string& secret_key() const { return secret_key_; }

  /// Of all calls of this kind from here on.
  void fail(Call call, Mishap how);
  /// Runs when such a call was done and before it is answered, on the thread that serves it; an empty one
  /// ends that.
  void before_answer(Call call, Hook hook);

  /// The customer has paid: what was asked for, or as it is told.
  void pay(const std::string& reference);
  void change(const std::string& reference, const std::function<void(Payment&)>& how);
  /// Knows nothing of a payment any more.
  void forget(const std::string& reference);
  std::optional<Payment> payment(const std::string& reference) const;
  /// In the order in which they were begun.
  std::vector<std::string> references() const;
  /// Waits until so many payments were begun, and returns the last one's reference.
  std::string wait_for_payment(std::size_t count = 1) const;
  /// How many calls of this kind have arrived.
  int calls(Call call) const;
  std::vector<RecordedRequest> requests() const { return server_.requests(); }

  /// charge.success, with the payment as it is kept.
  SignedEvent charge_success(const std::string& reference) const;
  /// refund.STATE of so many subunits.
  SignedEvent refund(const std::string& state, const std::string& reference,
                     const std::string& refund_reference, std::int64_t amount) const;
  /// charge.dispute.STEP
  SignedEvent dispute(const std::string& step, const std::string& reference) const;
  /// Anything, signed rightly.
  SignedEvent sign(std::string body) const;

  /// Sends it to a proxy's admin port, and returns the answer.
  static AdminAnswer send(const SocketAddress& admin, const SignedEvent& event);

  /// `[billing.payments.paystack]` for a proxy that pays here, with its key in this environment variable.
  std::string configuration(const std::string& secret_key_env) const;

 private:
  struct Answer {
    int status = 200;
    std::string body;
  };

  void serve(OriginConnection& connection);
  std::optional<Call> call_of(const RecordedRequest& request) const;
  Answer answer(const RecordedRequest& request, std::optional<Call> call);
  Answer initialize(const RecordedRequest& request);
  Answer verify(const std::string& reference) const;
  /// False: the connection is to be closed.
  bool send(OriginConnection& connection, const Answer& answer, Mishap how) const;
  void run_hook(Call call);
  nlohmann::json data_of(const Payment& payment) const;

  const std::string secret_key_;
  mutable std::mutex mutex_;
  std::map<std::string, Payment> payments_;  // guarded by mutex_
  std::vector<std::string> order_;           // guarded by mutex_
  std::map<Call, Mishap> mishaps_;           // guarded by mutex_
  std::map<Call, Hook> hooks_;               // guarded by mutex_
  std::map<Call, int> calls_;                // guarded by mutex_
  Origin server_;                            // last: it uses all of the above
};

}  // namespace payg::test
