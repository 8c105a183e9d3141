#include "tests/bench/report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tests/bench/percentiles.h"

namespace payg::bench {
namespace {

template <class... Values>
std::string line(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string cell(const std::optional<double>& value) {
  return value ? line("%10.1f", *value) : "         -";
}

std::string to_text(const Row& row) {
  return line("%-22s %-14s %9zu %7zu %11.1f %9s %9.0f %9.0f %9.0f %9.0f ", row.script.c_str(),
              row.route.c_str(), row.operations, row.errors, row.rate_per_s,
              row.megabytes_per_s > 0 ? line("%.1f", row.megabytes_per_s).c_str() : "-", row.p50_us,
              row.p90_us, row.p99_us, row.max_us) +
         cell(row.user_us) + " " + cell(row.system_us) + "\n";
}

nlohmann::json to_json(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json to_json(const Row& row) {
  return {
      {"script", row.script},
      {"route", row.route},
      {"operations", row.operations},
      {"errors", row.errors},
      {"rate_per_s", row.rate_per_s},
      {"megabytes_per_s", row.megabytes_per_s},
      {"latency_us", {{"p50", row.p50_us}, {"p90", row.p90_us}, {"p99", row.p99_us}, {"max", row.max_us}}},
      {"proxy_user_us_per_operation", to_json(row.user_us)},
      {"proxy_system_us_per_operation", to_json(row.system_us)}};
}

/// Batches of charges, in milliseconds: "p50 0.5, p99 1.0, max 2.0 ms (1000)".
std::string batches(const std::vector<Nanoseconds>& taken) {
  const Percentiles of(taken);
  return line("p50 %.1f, p99 %.1f, max %.1f ms (%zu)", of.at_us(0.5) / 1000, of.at_us(0.99) / 1000,
              of.at_us(1) / 1000, taken.size());
}

std::string to_text(const AuditResult& audit) {
  return line("audit                  %-14s %9lld %7lld %9.2f s for as many transactions, of %lld users\n",
              audit.ledger.c_str(), static_cast<long long>(audit.report.transactions),
              static_cast<long long>(audit.report.found), static_cast<double>(audit.took.count()) / 1000,
              static_cast<long long>(audit.report.users)) +
         "  a batch of charges beside it: " + batches(audit.charges_during) +
         ", without it: " + batches(audit.charges_before) + "\n";
}

nlohmann::json to_json(const std::vector<Nanoseconds>& taken) {
  const Percentiles of(taken);
  return {{"count", taken.size()}, {"p50", of.at_us(0.5)}, {"p99", of.at_us(0.99)}, {"max", of.at_us(1)}};
}

nlohmann::json to_json(const AuditResult& audit) {
  return {
      {"ledger", audit.ledger},
      {"users", audit.report.users},
      {"transactions", audit.report.transactions},
      {"sessions", audit.report.sessions},
      {"orders", audit.report.orders},
      {"found", audit.report.found},
      {"took_ms", audit.took.count()},
      {"filled_in_ms", audit.filled_in.count()},
      {"charges_us", {{"before", to_json(audit.charges_before)}, {"during", to_json(audit.charges_during)}}}};
}

}  // namespace

Row make_row(const Script& script, const Route& route, LoadResult load, std::size_t bytes,
             const std::optional<Usage>& before, const std::optional<Usage>& after) {
  Row row{.script = script.name, .route = route.name, .user_us = {}, .system_us = {}};
  row.operations = load.latencies.size();
  row.errors = load.errors;
  const double count = static_cast<double>(row.operations);
  row.rate_per_s = count / std::chrono::duration<double>(load.elapsed).count();
  row.megabytes_per_s = row.rate_per_s * static_cast<double>(bytes) / 1e6;
  const Percentiles percentiles(std::move(load.latencies));
  row.p50_us = percentiles.at_us(0.5);
  row.p90_us = percentiles.at_us(0.9);
  row.p99_us = percentiles.at_us(0.99);
  row.max_us = percentiles.at_us(1);
  if (before && after && row.operations > 0) {
    row.user_us = static_cast<double>((after->user - before->user).count()) / count;
    row.system_us = static_cast<double>((after->system - before->system).count()) / count;
  }
  return row;
}

std::string Report::to_text() const {
  std::string text =
      line("%-22s %-14s %9s %7s %11s %9s %9s %9s %9s %9s %10s %10s\n", "operation", "route", "count",
           "errors", "rate/s", "MB/s", "p50 us", "p90 us", "p99 us", "max us", "user us/op", "sys us/op");
  for (const auto& row : rows) text += bench::to_text(row);
  for (const auto& [route, result] : idle)
    text += line("idle tunnel            %-14s %9zu %7zu %11.0f bytes each (Pss %.1f -> %.1f MB)\n",
                 route.c_str(), result.tunnels, result.errors, result.bytes_per_tunnel(),
                 static_cast<double>(result.memory_before_bytes) / 1e6,
                 static_cast<double>(result.memory_after_bytes) / 1e6);
  if (cuts) {
    const Percentiles late(cuts->late_by);
    text += line("cut latency            %-14s %9zu %7zu %11s p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
                 "proxy+billing", cuts->late_by.size(), cuts->errors, "", late.at_us(0.5) / 1000,
                 late.at_us(0.99) / 1000, late.at_us(1) / 1000);
  }
  for (const auto& audit : audits) text += bench::to_text(audit);
  return text;
}

std::string Report::to_json() const {
  nlohmann::json all;
  all["rows"] = nlohmann::json::array();
  for (const auto& row : rows) all["rows"].push_back(bench::to_json(row));
  all["idle"] = nlohmann::json::array();
  for (const auto& [route, result] : idle)
    all["idle"].push_back({{"route", route},
                           {"tunnels", result.tunnels},
                           {"errors", result.errors},
                           {"bytes_per_tunnel", result.bytes_per_tunnel()},
                           {"memory_before_bytes", result.memory_before_bytes},
                           {"memory_after_bytes", result.memory_after_bytes}});
  if (cuts) {
    const Percentiles late(cuts->late_by);
    all["cut"] = {{"sessions", cuts->late_by.size()},
                  {"errors", cuts->errors},
                  {"late_us", {{"p50", late.at_us(0.5)}, {"p99", late.at_us(0.99)}, {"max", late.at_us(1)}}}};
  }
  all["audit"] = nlohmann::json::array();
  for (const auto& audit : audits) all["audit"].push_back(bench::to_json(audit));
  return all.dump(2) + "\n";
}

std::size_t Report::errors() const {
  std::size_t count = cuts ? cuts->errors : 0;
  for (const auto& row : rows) count += row.errors;
  for (const auto& [route, result] : idle) count += result.errors;
  for (const auto& audit : audits) count += static_cast<std::size_t>(audit.report.found);
  return count;
}

}  // namespace payg::bench
