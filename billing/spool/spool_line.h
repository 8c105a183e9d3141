#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "billing/ledger/ledger.h"

namespace payg::billing {

/// One line of a spool, with its checksum and its line break: a charge, that a charge was answered, or the
/// header.
std::string spool_line(const ChargeRequest& charge);
std::string settled_line(const ChargeKey& charge);
std::string spool_header(std::string_view node);

/// nullopt: torn or damaged. `line` without its line break.
std::optional<ChargeRequest> read_spool_line(std::string_view line);
/// nullopt: it is none that says so.
std::optional<ChargeKey> read_settled_line(std::string_view line);
/// The node of a header; nullopt: it is none.
std::optional<std::string> read_spool_header(std::string_view line);

}  // namespace payg::billing
