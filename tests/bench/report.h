#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/audit.h"
#include "tests/bench/cut.h"
#include "tests/bench/idle.h"
#include "tests/bench/load.h"
#include "tests/bench/usage.h"

namespace payg::bench {

/// One line of the table: one script along one route.
struct Row {
  std::string script;
  std::string route;
  std::size_t operations = 0;
  std::size_t errors = 0;
  double rate_per_s = 0;
  double megabytes_per_s = 0;  ///< 0: not a matter of bytes
  double p50_us = 0, p90_us = 0, p99_us = 0, max_us = 0;
  /// Of the proxy for each operation; nullopt on a direct route, or when its process is not known.
  std::optional<double> user_us, system_us;
};

/// `bytes`: what one operation moves. `before`, `after`: of the proxy, when there is one.
Row make_row(const Script& script, const Route& route, LoadResult load, std::size_t bytes,
             const std::optional<Usage>& before, const std::optional<Usage>& after);

struct Report {
  struct IdleRow {
    std::string route;
    IdleResult result;
  };
  std::vector<Row> rows;
  std::vector<IdleRow> idle;
  std::optional<CutResult> cuts;
  std::vector<AuditResult> audits;

  /// The table that people read.
  std::string to_text() const;
  std::string to_json() const;
  std::size_t errors() const;
};

}  // namespace payg::bench
