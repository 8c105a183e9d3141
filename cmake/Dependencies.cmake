# Everything comes from Debian 12; scripts/setup installs it.
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(CURL 7.88 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp REQUIRED CONFIG)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBEVENT REQUIRED IMPORTED_TARGET libevent_core libevent_extra libevent_pthreads)
find_path(TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)

# evhttp and evdns of 2.1.12 have remote holes that Debian mended in +deb12u1 (CVEs of 2026). The upstream version
# number does not tell, so ask the package manager.
if(LIBEVENT_libevent_core_VERSION VERSION_LESS_EQUAL "2.1.12-stable")
  execute_process(COMMAND dpkg-query -W -f=\${Version} libevent-dev
                  OUTPUT_VARIABLE libevent_package RESULT_VARIABLE unknown)
  execute_process(COMMAND dpkg --compare-versions "${libevent_package}" ge "2.1.12-stable-8+deb12u1"
                  RESULT_VARIABLE too_old)
  if(unknown OR too_old)
    message(FATAL_ERROR "libevent ${libevent_package} is too old: "
                        "payg-proxy needs libevent-dev >= 2.1.12-stable-8+deb12u1")
  endif()
endif()
