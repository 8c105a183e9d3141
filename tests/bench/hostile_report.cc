#include "tests/bench/hostile_report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tests/bench/percentiles.h"

namespace payg::bench {
namespace {

template <class... Values>
std::string text(const char* format, Values... values) {
  char line[512];
  std::snprintf(line, sizeof line, format, values...);
  return line;
}

double megabytes(std::uint64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

std::string p50_p99(const std::vector<std::chrono::nanoseconds>& samples) {
  const Percentiles percentiles(samples);
  return text("%.1f/%.1f", percentiles.at_us(0.5) / 1000, percentiles.at_us(0.99) / 1000);
}

std::string answers_of(const CrowdFate& fate) {
  std::string all;
  for (const auto& [code, count] : fate.answers)
    all += (all.empty() ? "" : ", ") + code + ": " + std::to_string(count);
  return all.empty() ? "none" : all;
}

std::string line_of(const HostileRow& row) {
  const std::size_t failed = row.before.failed_pings + row.before.failed_opens + row.during.failed_pings +
                             row.during.failed_opens + row.after.failed_pings + row.after.failed_opens;
  return text("%-29s %-8s %7zu %11s %15s %6llu %19s %19s %6zu  %s\n", row.attack.c_str(), row.ledger.c_str(),
              row.members, text("%.0f > %.0f", 100 * row.cpu_before, 100 * row.cpu_during).c_str(),
              text("%.0f > %.0f > %.0f", megabytes(row.memory_before_bytes), megabytes(row.memory_peak_bytes),
                   megabytes(row.memory_after_bytes))
                  .c_str(),
              static_cast<unsigned long long>(row.standing_reads),
              (p50_p99(row.before.pings) + " > " + p50_p99(row.during.pings)).c_str(),
              (p50_p99(row.before.opens) + " > " + p50_p99(row.during.opens)).c_str(), failed,
              answers_of(row.fate).c_str());
}

nlohmann::json to_json(const Waits& waits) {
  const Percentiles pings(waits.pings), opens(waits.opens);
  const auto describe = [](const Percentiles& percentiles, std::size_t count, std::size_t failed) {
    return nlohmann::json{{"count", count},
                          {"failed", failed},
                          {"p50_us", percentiles.at_us(0.5)},
                          {"p99_us", percentiles.at_us(0.99)}};
  };
  return {{"pings", describe(pings, waits.pings.size(), waits.failed_pings)},
          {"opens", describe(opens, waits.opens.size(), waits.failed_opens)}};
}

nlohmann::json to_json(const HostileRow& row) {
  return {
      {"attack", row.attack},
      {"ledger", row.ledger},
      {"members", row.members},
      {"connections", row.fate.connections},
      {"answers", row.fate.answers},
      {"cpu", {{"before", row.cpu_before}, {"during", row.cpu_during}}},
      {"memory_bytes",
       {{"before", row.memory_before_bytes},
        {"peak", row.memory_peak_bytes},
        {"after", row.memory_after_bytes}}},
      {"standing_reads", row.standing_reads},
      {"honest",
       {{"before", to_json(row.before)}, {"during", to_json(row.during)}, {"after", to_json(row.after)}}}};
}

}  // namespace

std::string to_text(const std::vector<HostileRow>& rows) {
  std::string all = text("%-29s %-8s %7s %11s %15s %6s %19s %19s %6s  %s\n", "", "", "", "the proxy's",
                         "its memory, MB", "ledger", "honest ping, ms", "honest CONNECT, ms", "honest", "");
  all += text("%-29s %-8s %7s %11s %15s %6s %19s %19s %6s  %s\n", "attack", "ledger", "clients", "CPU, %",
              "peak, after", "reads", "p50/p99 > attacked", "p50/p99 > attacked", "failed",
              "what the attackers got");
  for (const auto& row : rows) all += line_of(row);
  return all;
}

std::string to_json(const std::vector<HostileRow>& rows) {
  nlohmann::json all = nlohmann::json::array();
  for (const auto& row : rows) all.push_back(to_json(row));
  return all.dump(2) + "\n";
}

}  // namespace payg::bench
