#pragma once

#include <filesystem>
#include <string>

namespace payg::test {

/// Edits the SQLite file of a ledger behind its back, as nobody should. Throws when the statement fails.
void damage(const std::filesystem::path& file, const std::string& sql);

}  // namespace payg::test
