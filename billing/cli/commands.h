#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "billing/ledger/ledger.h"
#include "plugin/base/clock.h"

namespace payg::billing::cli {

/// What paygctl tells the shell; --help lists them.
enum class ExitCode {
  done = 0,
  refused = 1,      ///< there is no such thing, or the ledger's rules forbid it; nothing was changed
  usage = 2,        ///< the command line or the configuration file is wrong
  unavailable = 3,  ///< the ledger cannot be reached
  findings = 4,     ///< the audit found something
  output_lost = 5,  ///< it is done, but what there was to say could not be written
};

enum class Form { table, json };

/// What every command works with.
struct Desk {
  Ledger& ledger;
  const Clock& clock;
  Form form = Form::table;
  std::ostream& out;
  std::ostream& err;

  WallTime now() const { return clock.wall_now(); }
};

/// Says on `err` what the ledger refused; `subject` is what it was about, e.g. "user alice".
ExitCode refuse(const Desk& desk, const LedgerError& error, const std::string& subject);
/// The same for what the command itself refuses.
ExitCode refuse(const Desk& desk, ExitCode code, const std::string& message);

struct NewUser {
  std::string name, email;
};
ExitCode add_user(const Desk& desk, const NewUser& wanted);
ExitCode list_users(const Desk& desk);
ExitCode set_user_state(const Desk& desk, const std::string& name, UserState state);
ExitCode replace_token(const Desk& desk, const std::string& name);

struct CreditRequest {
  std::string name, amount, reason, reference;
};
ExitCode add_credit(const Desk& desk, const CreditRequest& wanted);
ExitCode show_balance(const Desk& desk, const std::string& name);

struct AddressRequest {
  std::string name, network;
};
ExitCode add_address(const Desk& desk, const AddressRequest& request);
ExitCode remove_address(const Desk& desk, const AddressRequest& request);
/// `name` empty: everybody's.
ExitCode list_addresses(const Desk& desk, const std::string& name);

struct SessionSelection {
  std::string user;  ///< empty: everybody's
  std::string end;   ///< empty: only list them
};
ExitCode sessions(const Desk& desk, const SessionSelection& selection);

ExitCode audit(const Desk& desk);
ExitCode migrate(const Desk& desk);

}  // namespace payg::billing::cli
