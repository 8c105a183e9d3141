// What many exits cost: making a table of ten thousand, making it anew with the same ones, and a choice among
// all of them, among those of a country, and of a city.
//
//   payg_bench_exits

#include <chrono>
#include <cstdio>

#include "plugin/base/clock.h"
#include "proxy/exit_table.h"

namespace {

using namespace payg;
using Milliseconds = std::chrono::duration<double, std::milli>;
using Microseconds = std::chrono::duration<double, std::micro>;

std::vector<config::ExitConfig> ten_thousand() {
  constexpr const char* countries[] = {"de", "fr", "us", "gb", "nl", "pl", "jp", "br"};
  std::vector<config::ExitConfig> exits;
  for (unsigned i = 0; i < 10'000; ++i) {
    auto& exit = exits.emplace_back();
    exit.name = "exit-" + std::to_string(i);
    exit.weight = 1 + i % 5;
    exit.country = countries[i % 8];
    exit.state = "state" + std::to_string(i % 50);
    exit.city = "city" + std::to_string(i % 1000);
    exit.isp = "isp" + std::to_string(i % 20);
    if (i % 3 == 0) continue;
    exit.kind = config::ExitKind::http;
    exit.address = "192.0.2.1:3128";
  }
  return exits;
}

void measure_choice(const SystemClock& clock, const proxy::ExitTable& table, const char* where,
                    const plugin::Location& wanted) {
  constexpr std::uint64_t keys = 200'000;
  std::size_t found = 0;
  const auto begin = clock.now();
  for (std::uint64_t key = 0; key < keys; ++key) found += table.choose(wanted, key) != nullptr;
  const Microseconds each = (clock.now() - begin) / static_cast<double>(keys);
  std::printf("a choice %-20s %8.2f us%s\n", where, each.count(), found == keys ? "" : " (nothing found)");
}

}  // namespace

int main() {
  const SystemClock clock;
  const auto configs = ten_thousand();
  auto begin = clock.now();
  const proxy::ExitTable table(configs, {});
  std::printf("a table of %zu exits    %8.1f ms\n", configs.size(),
              Milliseconds(clock.now() - begin).count());
  begin = clock.now();
  const proxy::ExitTable again(configs, {}, &table);
  std::printf("the same, reloaded        %8.1f ms\n", Milliseconds(clock.now() - begin).count());
  measure_choice(clock, table, "among all", {});
  measure_choice(clock, table, "in a country", {.country = "de", .state = {}, .city = {}, .isp = {}});
  measure_choice(clock, table, "in a city", {.country = {}, .state = {}, .city = "city7", .isp = {}});
  return 0;
}
