# cmake -D FOLDER=… -D FUNCTION=… -D OUTPUT=… -P embed_migrations.cmake
# Writes a source file that holds the folder's numbered SQL files, so that a program carries its schema with it.
file(GLOB files ${FOLDER}/*.sql)
list(SORT files)
set(rows "")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME_WE)
  string(REGEX MATCH "^[0-9]+" number ${name})
  math(EXPR number "${number}")
  file(READ ${file} sql)
  string(APPEND rows "    {${number}, \"${name}\", R\"sql(${sql})sql\"},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"billing/ledger/migration.h\"

namespace payg::billing {
namespace {
constexpr Migration migrations[] = {
${rows}};
}  // namespace

std::span<const Migration> ${FUNCTION}() noexcept { return migrations; }

}  // namespace payg::billing
")
