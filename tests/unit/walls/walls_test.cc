#include "tests/unit/walls/walls.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "tests/unit/walls/promises.h"

namespace payg::walls {
namespace {

namespace fs = std::filesystem;

std::vector<SourceFile> read_tree() {
  const fs::path root = PAYG_SOURCE_ROOT;
  std::vector<SourceFile> tree;
  for (const auto* folder : {"plugin", "proxy", "billing", "config", "tests", "scripts", "cmake"}) {
    for (auto it = fs::recursive_directory_iterator(root / folder); it != fs::end(it); ++it) {
      if (it->path().filename() == "node_modules") it.disable_recursion_pending();
      if (!it->is_regular_file()) continue;
      std::ostringstream text;
      text << std::ifstream(it->path(), std::ios::binary).rdbuf();
      tree.push_back({.path = fs::relative(it->path(), root), .text = text.str()});
    }
  }
  return tree;
}

TEST(Walls, TheTreeKeepsEveryOne) {
  const auto tree = read_tree();
  ASSERT_GT(tree.size(), 50u);
  for (const SourceFile& file : tree) {
    for (const auto& breach : breaches_of(file)) ADD_FAILURE() << breach;
  }
}

TEST(Walls, EachTopFolderExplainsItself) {
  for (const auto& breach : missing_readmes(read_tree())) ADD_FAILURE() << breach;
}

TEST(Promises, EachIsShownByATestThatThereIs) {
  const Promises promises = check_promises(read_tree());
  EXPECT_GE(promises.rows, 25) << "billing/README.md alone has more";
  for (const auto& breach : promises.untested) ADD_FAILURE() << breach;
}

/// What a program is linked to, as the loader sees it.
std::string libraries_of(const std::string& program) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(("ldd '" + program + "'").c_str(), "r"),
                                                             pclose);
  if (!pipe) return "";
  std::string out;
  std::array<char, 4096> chunk;
  while (const auto count = std::fread(chunk.data(), 1, chunk.size(), pipe.get()))
    out.append(chunk.data(), count);
  return out;
}

TEST(Walls, TheProxyIsLinkedToNoDatabaseAndNoHttpClient) {
  const std::string libraries = libraries_of(PAYG_PROXY_PROGRAM);
  ASSERT_NE(libraries.find("libevent"), std::string::npos) << "ldd said: " << libraries;
  for (const auto* foreign : {"libpq", "libsqlite3", "libcurl"})
    EXPECT_EQ(libraries.find(foreign), std::string::npos) << libraries;
}

// ---- that each wall bites, and only where it stands

struct Fixture {
  const char* name;
  const char* path;
  const char* text;
  const char* breach;  ///< the whole of it; empty: there is none
};

void PrintTo(const Fixture& fixture, std::ostream* out) {
  *out << fixture.name;
}

constexpr Fixture fixtures[] = {
    {"TheProxyIncludesBilling", "proxy/a.cc", "\n#include \"billing/core/credits.h\"\n",
     "proxy/a.cc:2: includes billing/core/credits.h: the proxy knows no billing"},
    {"BillingIncludesTheProxy", "billing/admin/a.h", "#include \"proxy/worker.h\"\n",
     "billing/admin/a.h:1: includes proxy/worker.h: billing knows no proxy"},
    {"ThePluginFolderIncludesTheProxy", "plugin/host/a.cc", "#include \"proxy/worker.h\"\n",
     "plugin/host/a.cc:1: includes proxy/worker.h: the contract stands by itself"},
    {"ThePluginFolderIncludesBilling", "plugin/api/a.h", "  # include \"billing/metering.h\"\n",
     "plugin/api/a.h:1: includes billing/metering.h: the contract stands by itself"},
    {"TheProxysConfigIncludesBilling", "config/proxy_config.h", "#include \"config/billing_config.h\"\n",
     "config/proxy_config.h:1: includes config/billing_config.h: the proxy knows no billing"},
    {"TheProductIncludesATest", "proxy/a.cc", "#include \"tests/fakes/fake_clock.h\"\n",
     "proxy/a.cc:1: includes tests/fakes/fake_clock.h: the product does not stand on its tests"},
    {"AnIncludeInACommentIsNone", "proxy/a.cc", "// #include \"billing/core/credits.h\"\n", ""},
    {"BillingIncludesTheContract", "billing/a.cc", "#include \"plugin/api/plugin.h\"\n", ""},

    {"SqlOutsideTheLedger", "billing/admin/a.cc", "auto q = \"SELECT name FROM users\";\n",
     "billing/admin/a.cc:1: SQL: its place is billing/ledger/"},
    {"SqlInLowerCase", "billing/cli/a.cc", "\n\nauto q = R\"(\n  update users set name = $1)\";\n",
     "billing/cli/a.cc:3: SQL: its place is billing/ledger/"},
    {"SqlInTheLedger", "billing/ledger/a.cc", "auto q = \"SELECT name FROM users\";\n", ""},
    {"ProseIsNoSql", "billing/admin/a.cc",
     "auto q = \"select a package, then commit\"; auto d = \"DELETE\";\n", ""},
    {"SqlInACommentIsNone", "billing/admin/a.cc", "// \"DELETE FROM users\"\n", ""},
    {"AnSqlFileOutsideTheLedger", "billing/admin/a.sql", "",
     "billing/admin/a.sql:1: SQL: its place is billing/ledger/"},
    {"AnSqlColumnIsAFloat", "billing/ledger/migrations/a.sql", "CREATE TABLE t (\n  amount REAL\n);\n",
     "billing/ledger/migrations/a.sql:2: real: amounts are BIGINT units"},

    {"SqliteOutsideTheLedger", "billing/admin/a.cc", "#include <sqlite3.h>\n",
     "billing/admin/a.cc:1: includes sqlite3.h: its place is billing/ledger/"},
    {"LibpqOutsideTheLedger", "plugin/host/a.cc", "#include <libpq-fe.h>\n",
     "plugin/host/a.cc:1: includes libpq-fe.h: its place is billing/ledger/"},
    {"CurlOutsidePayments", "billing/admin/a.cc", "#include <curl/curl.h>\n",
     "billing/admin/a.cc:1: includes curl/curl.h: its place is billing/payments/"},
    {"EvhttpOutsideTheAdminPort", "proxy/a.cc", "#include <event2/http.h>\n",
     "proxy/a.cc:1: includes event2/http.h: its place is billing/admin/"},
    {"TheTomlParserOutsideItsFile", "config/a.cc", "#include <toml++/toml.h>\n",
     "config/a.cc:1: includes toml++/toml.h: its place is config/toml_document.cc"},

    {"TheSystemClockIsRead", "billing/a.cc", "auto t = std::chrono::system_clock::now();\n",
     "billing/a.cc:1: system_clock::now: time comes from a Clock that is passed in"},
    {"TheSteadyClockIsRead", "proxy/a.cc", "int a;\nauto t = steady_clock::now();\n",
     "proxy/a.cc:2: steady_clock::now: time comes from a Clock that is passed in"},
    {"TimeIsRead", "proxy/a.cc", "auto t = std::time(nullptr);\n",
     "proxy/a.cc:1: time(nullptr: time comes from a Clock that is passed in"},
    {"GettimeofdayIsRead", "config/a.cc", "gettimeofday(&t, nullptr);\n",
     "config/a.cc:1: gettimeofday: time comes from a Clock that is passed in"},
    {"ClockGettimeIsRead", "plugin/host/a.cc", "clock_gettime(CLOCK_MONOTONIC, &t);\n",
     "plugin/host/a.cc:1: clock_gettime: time comes from a Clock that is passed in"},
    {"TheClockItselfMayRead", "plugin/base/clock.h", "return std::chrono::steady_clock::now();\n", ""},
    {"ADurationIsNoClock", "billing/a.cc", "auto t = rate.time_for(amount); f(price_of(time));\n", ""},

    {"TheCoreIncludesTheLedger", "billing/core/a.cc", "#include \"billing/ledger/ledger.h\"\n",
     "billing/core/a.cc:1: includes billing/ledger/ledger.h: billing/core includes itself and plugin/base "
     "only"},
    {"TheCoreIncludesTheEventLoop", "billing/core/a.cc", "#include \"plugin/base/event.h\"\n",
     "billing/core/a.cc:1: includes plugin/base/event.h: billing/core knows no sockets"},
    {"TheCoreIncludesSockets", "billing/core/a.h", "#include <sys/socket.h>\n",
     "billing/core/a.h:1: includes sys/socket.h: billing/core does no I/O"},
    {"TheCoreIncludesFiles", "billing/core/a.h", "#include <fstream>\n",
     "billing/core/a.h:1: includes fstream: billing/core does no I/O"},
    {"TheCoreIncludesWhatIsPure", "billing/core/a.h",
     "#include <chrono>\n#include <string>\n#include \"billing/core/credits.h\"\n#include "
     "\"plugin/base/clock.h\"\n",
     ""},

    {"TheCoreHoldsADouble", "billing/core/a.h", "constexpr auto n = 10'000; double balance = 0;\n",
     "billing/core/a.h:1: double: money is never a float"},
    {"TheLedgerHoldsAFloat", "billing/ledger/a.h", "/* money\n */ float balance = 0;\n",
     "billing/ledger/a.h:2: float: money is never a float"},
    {"AWordInACommentIsNoFloat", "billing/core/a.h", "// never a double\nint doubled = 0;\n", ""},

    {"TheProxySpeaksOfMoney", "proxy/a.cc", "log(\"no credits left\");\n",
     "proxy/a.cc:1: credits: the proxy knows no money"},
    {"TheProxyNamesTheLedger", "proxy/a.h", "class A { int ledger = 0; };\n",
     "proxy/a.h:1: ledger: the proxy knows no money"},
    {"CredentialsAreNoCredits", "proxy/a.cc", "read_credentials(\"credentials\");\n", ""},

    {"ABuffereventInTheProxy", "proxy/a.cc", "#include <event2/bufferevent.h>\n",
     "proxy/a.cc:1: bufferevents copy in 4 KB reads: raw sockets only"},
    {"ABuffereventInUse", "plugin/host/a.cc", "auto* b = bufferevent_socket_new(base, fd, 0);\n",
     "plugin/host/a.cc:1: bufferevents copy in 4 KB reads: raw sockets only"},
};

class WallFixture : public testing::TestWithParam<Fixture> {};

TEST_P(WallFixture, IsJudgedRightly) {
  const Fixture& fixture = GetParam();
  const Breaches expected = *fixture.breach ? Breaches{fixture.breach} : Breaches{};
  EXPECT_EQ(breaches_of({.path = fixture.path, .text = fixture.text}), expected);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, WallFixture, testing::ValuesIn(fixtures),
                         [](const auto& fixture) { return fixture.param.name; });

TEST(Walls, AFileOfMoreThanFiveHundredLinesIsNamed) {
  const std::string lines(500, '\n');
  EXPECT_EQ(breaches_of({.path = "tests/unit/a.cc", .text = lines}), Breaches{});
  EXPECT_EQ(breaches_of({.path = "tests/unit/a.cc", .text = lines + "\n"}),
            Breaches{"tests/unit/a.cc:501: more than 500 lines"});
}

TEST(Walls, AFolderWithoutAReadmeIsNamed) {
  std::vector<SourceFile> tree;
  for (const auto* folder : {"plugin", "proxy", "config", "tests", "scripts"})
    tree.push_back({.path = std::string(folder) + "/README.md", .text = ""});
  EXPECT_EQ(missing_readmes(tree), Breaches{"billing/README.md: missing"});
}

TEST(Promises, WithoutATestAreNamed) {
  const SourceFile test{.path = "tests/unit/a.cc",
                        .text =
                            "TEST_F(Ledger,\n       KeepsWhatItWasGiven) {}\n"
                            "TEST(Clock, DISABLED_Ticks) {}\n"};
  const SourceFile readme{
      .path = "billing/README.md",
      .text =
          "| what | test |\n|---|---|\n"
          "| a | `Ledger` |\n| b | `Ledger.Keeps…`, `Ledger.KeepsWhatItWasGiven` |\n"
          "| c | – |\n| d | `Ledge` |\n| e | `Ledger.Keeps` |\n| f | `Ledger.Loses…` |\n| g | `Clock` |\n"
          "\n| what | reason |\n| g | none |\n"};
  const Breaches expected{"billing/README.md:5: names no test", "billing/README.md:6: there is no test Ledge",
                          "billing/README.md:7: there is no test Ledger.Keeps",
                          "billing/README.md:8: there is no test Ledger.Loses…",
                          "billing/README.md:9: there is no test Clock"};
  const Promises promises = check_promises({test, readme});
  EXPECT_EQ(promises.rows, 7);
  EXPECT_EQ(promises.untested, expected);
}

}  // namespace
}  // namespace payg::walls
