#include "tests/unit/admin/damage.h"

#include <sqlite3.h>

#include <memory>
#include <stdexcept>

namespace payg::test {

void damage(const std::filesystem::path& file, const std::string& sql) {
  sqlite3* opened = nullptr;
  const int status = sqlite3_open(file.c_str(), &opened);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database(opened, sqlite3_close);
  sqlite3_busy_timeout(opened, 60'000);
  if (status != SQLITE_OK || sqlite3_exec(opened, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    throw std::runtime_error(sqlite3_errmsg(opened));
}

}  // namespace payg::test
