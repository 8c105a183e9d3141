#pragma once

#include <set>
#include <string>

#include "config/exit_config.h"
#include "config/toml_table.h"

namespace payg::config {

/// Reads one [[exit]]. `names`: of those before it; its own is added.
ExitConfig read_exit(TomlTable table, std::set<std::string>& names);

/// Reads [exit_health].
ExitHealthConfig read_exit_health(TomlTable table);

}  // namespace payg::config
