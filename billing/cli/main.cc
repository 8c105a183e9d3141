// paygctl: the operator's tool. It works on the ledger itself, whether a proxy runs or not; a running proxy
// notices what was changed within about a second.

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

#include "billing/cli/commands.h"
#include "config/billing_config.h"

namespace payg::billing::cli {
namespace {

constexpr const char* footer =
    "Exit codes:\n"
    "  0  done\n"
    "  1  refused: there is no such thing, the name is taken, the balance does not cover it, …\n"
    "  2  usage: the command line or the configuration file is wrong\n"
    "  3  the ledger cannot be reached\n"
    "  4  the audit found something\n"
    "  5  the output could not be written; what was asked for is done\n"
    "\n"
    "The ledger is the one of --ledger, else of --config, else of the environment's PAYG_LEDGER.";

/// What the command line said.
struct Options {
  std::string config, ledger;
  Form form = Form::table;
  std::function<ExitCode(const Desk&)> command;
};

/// The ledger's URL; nullopt after having said on standard error why there is none.
std::optional<std::string> ledger_url(const Options& options) {
  if (!options.ledger.empty()) return options.ledger;
  if (options.config.empty()) {
    const char* from_environment = std::getenv("PAYG_LEDGER");
    if (from_environment && *from_environment) return from_environment;
    std::cerr << "paygctl: which ledger? Give --config FILE or --ledger URL, or set PAYG_LEDGER.\n";
    return std::nullopt;
  }
  std::ifstream file(options.config, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    std::cerr << "paygctl: " << options.config << " cannot be read\n";
    return std::nullopt;
  }
  const auto config = config::read_billing_config(options.config, text.str(), "billing");
  if (config.ok()) return config->ledger;
  for (const std::string& error : config.error()) std::cerr << error << '\n';
  return std::nullopt;
}

/// A command of `parent` that runs `run` when it was named.
template <class Run>
CLI::App* add_command(CLI::App& parent, Options& options, const std::string& name, const std::string& help,
                      Run run) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->callback([&options, run = std::move(run)] { options.command = run; });
  return command;
}

void define_user_commands(CLI::App& app, Options& options) {
  CLI::App* user = app.add_subcommand("user", "Who may use the proxy")->require_subcommand(1);
  auto wanted = std::make_shared<NewUser>();
  CLI::App* add = add_command(*user, options, "add", "Create a user; shows the token, once",
                              [wanted](const Desk& desk) { return add_user(desk, *wanted); });
  add->add_option("NAME", wanted->name, "a-z, 0-9, '_' and '.', at most 64")->required();
  add->add_option("--email", wanted->email, "Where receipts go");
  add_command(*user, options, "list", "Everybody, with balance and live sessions", list_users);

  const auto with_name = [&](const std::string& name, const std::string& help, auto run) {
    auto who = std::make_shared<std::string>();
    add_command(*user, options, name, help, [who, run](const Desk& desk) { return run(desk, *who); })
        ->add_option("NAME", *who)
        ->required();
  };
  with_name("disable", "Refuse the user and cut his sessions", [](const Desk& desk, const std::string& name) {
    return set_user_state(desk, name, UserState::disabled);
  });
  with_name("enable", "Take a disabled user back", [](const Desk& desk, const std::string& name) {
    return set_user_state(desk, name, UserState::active);
  });
  with_name("token", "Replace the token; the old one is void at once", replace_token);
}

void define_credit_commands(CLI::App& app, Options& options) {
  CLI::App* credit = app.add_subcommand("credit", "Give and take credits")->require_subcommand(1);
  auto wanted = std::make_shared<CreditRequest>();
  CLI::App* add = add_command(*credit, options, "add", "Give credits, or take them with an amount below zero",
                              [wanted](const Desk& desk) { return add_credit(desk, *wanted); });
  add->add_option("NAME", wanted->name)->required();
  add->add_option("AMOUNT", wanted->amount, "Credits, such as 10 or -2.50")->required();
  add->add_option("--reason", wanted->reason, "Why; the user can read it")->required();
  add->add_option("--reference", wanted->reference, "What makes it happen once, however often it is sent");

  auto who = std::make_shared<std::string>();
  add_command(app, options, "balance", "What a user has",
              [who](const Desk& desk) { return show_balance(desk, *who); })
      ->add_option("NAME", *who)
      ->required();
}

void define_address_commands(CLI::App& app, Options& options) {
  CLI::App* address =
      app.add_subcommand("address", "Addresses from which a user needs no token")->require_subcommand(1);
  const auto with_request = [&](const std::string& name, const std::string& help, auto run) {
    auto wanted = std::make_shared<AddressRequest>();
    CLI::App* command = add_command(*address, options, name, help,
                                    [wanted, run](const Desk& desk) { return run(desk, *wanted); });
    command->add_option("NAME", wanted->name)->required();
    command->add_option("NETWORK", wanted->network, "203.0.113.7, 203.0.113.0/24 or 2001:db8::/48")
        ->required();
  };
  with_request("add", "Whoever comes from there without a token is this user", add_address);
  with_request("remove", "Take it back", remove_address);
  auto who = std::make_shared<std::string>();
  add_command(*address, options, "list", "What a user has listed, or everybody", [who](const Desk& desk) {
    return list_addresses(desk, *who);
  })->add_option("NAME", *who);
}

void define_other_commands(CLI::App& app, Options& options) {
  auto selection = std::make_shared<SessionSelection>();
  CLI::App* list = add_command(app, options, "sessions", "Live sessions, or end one",
                               [selection](const Desk& desk) { return sessions(desk, *selection); });
  list->add_option("--user", selection->user, "Only this user's");
  list->add_option("--end", selection->end, "End the session with this id");
  add_command(app, options, "audit", "Prove the books", audit);
  add_command(app, options, "migrate", "Bring the ledger's schema up to date", migrate);
}

ExitCode run(const Options& options) {
  const auto url = ledger_url(options);
  if (!url) return ExitCode::usage;
  const auto factory = open_ledger(*url);
  if (!factory.ok()) {
    std::cerr << "paygctl: " << factory.error() << '\n';
    return ExitCode::usage;
  }
  const auto ledger = (*factory)();
  const SystemClock clock;
  const Desk desk{
      .ledger = *ledger, .clock = clock, .form = options.form, .out = std::cout, .err = std::cerr};
  const ExitCode code = options.command(desk);
  const bool was_written = !std::cout.flush().fail();
  if (was_written || code != ExitCode::done) return code;
  return refuse(
      desk, ExitCode::output_lost,
      "the output could not be written; what was asked for is done (paygctl user token NAME replaces a "
      "token that nobody saw)");
}

int main_of(int argc, char** argv) {
  Options options;
  CLI::App app("The operator's tool of payg-proxy: users, credits, sessions, the books.", "paygctl");
  app.footer(footer)->require_subcommand(1)->fallthrough();
  app.add_option("--config", options.config, "The proxy's configuration file, for its [billing] ledger");
  app.add_option("--ledger", options.ledger, "sqlite:PATH or postgresql://…")->excludes("--config");
  app.add_flag_callback(
      "--json", [&options] { options.form = Form::json; }, "Print JSON");
  define_user_commands(app, options);
  define_credit_commands(app, options);
  define_address_commands(app, options);
  define_other_commands(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::usage);
  }
  return static_cast<int>(run(options));
}

}  // namespace

ExitCode refuse(const Desk& desk, ExitCode code, const std::string& message) {
  desk.err << "paygctl: " << message << '\n';
  return code;
}

ExitCode refuse(const Desk& desk, const LedgerError& error, const std::string& subject) {
  const bool away = error.code == LedgerError::Code::unavailable;
  std::string message = subject + ": " + std::string(name_of(error.code)) + ": " + error.message;
  if (error.code == LedgerError::Code::broken) message += " (a ledger without tables needs paygctl migrate)";
  return refuse(desk, away ? ExitCode::unavailable : ExitCode::refused, message);
}

}  // namespace payg::billing::cli

int main(int argc, char** argv) {
  return payg::billing::cli::main_of(argc, argv);
}
