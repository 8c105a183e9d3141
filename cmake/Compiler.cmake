# One place for warnings and sanitizers, so that every target is held to the same.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Werror)

set(PAYG_SANITIZE "" CACHE STRING "sanitizers to build with, as -fsanitize= takes them: address,undefined or thread")
if(PAYG_SANITIZE)
  add_compile_options(-fsanitize=${PAYG_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PAYG_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc 12 warns about code that the sanitizers themselves insert.
    add_compile_options(-Wno-error=maybe-uninitialized -Wno-maybe-uninitialized -Wno-tsan)
  endif()
endif()

option(PAYG_FUZZ "build the programs of tests/fuzz, which needs clang" OFF)
if(PAYG_FUZZ)
  # Everything tells the fuzzer where it has been; its main is linked to its programs only.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(PAYG_CCACHE ccache)
if(PAYG_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PAYG_CCACHE})
endif()
