# How this project declares targets: one library or program per folder, with the project's warnings and hardening.

# What every target compiles with. Generated code and third-party headers are system includes, so -Werror is ours alone.
add_library(jobd_options INTERFACE)
target_compile_options(jobd_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  -Wnull-dereference -Wimplicit-fallthrough -Werror
  # Designated initialisers leave out what keeps its default on purpose.
  -Wno-missing-field-initializers
  -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees null dereferences, uninitialised values and overlapping copies in inlined library code that are not there.
  target_compile_options(jobd_options INTERFACE -Wno-null-dereference -Wno-maybe-uninitialized -Wno-restrict)
endif()
target_compile_definitions(jobd_options INTERFACE JOBD_VERSION="${PROJECT_VERSION}")
if(NOT JOBD_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_definitions(jobd_options INTERFACE _FORTIFY_SOURCE=2)
endif()
target_link_options(jobd_options INTERFACE -Wl,-z,relro,-z,now)
if(JOBD_SANITIZE)
  add_compile_options(-fsanitize=${JOBD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${JOBD_SANITIZE})
  if(JOBD_SANITIZE MATCHES thread)
    # GCC's TSan does not model atomic_thread_fence, which Asio uses; the locks around it are what it checks.
    add_compile_options(-Wno-tsan)
  endif()
endif()

# jobd_library(NAME SOURCES... ): a static library of the calling folder; LINK_PUBLIC and LINK_PRIVATE name what it may see.
function(jobd_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK_PUBLIC;LINK_PRIVATE" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_LINK_PUBLIC} PRIVATE jobd_options ${arg_LINK_PRIVATE})
endfunction()

# jobd_program(NAME SOURCES... ): an executable in build/bin.
function(jobd_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE jobd_options ${arg_LINK})
  if(JOBD_SANITIZE MATCHES address)
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/sanitizer_defaults.cc)
  endif()
endfunction()

# Tests drive what is optimised and need not be it themselves, and compile in less than half the time without.
if(NOT JOBD_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL "Release")
  set(JOBD_TEST_OPTIONS -O0 -U_FORTIFY_SOURCE)
endif()

# What nearly every test includes, compiled once. A program, as the headers must be compiled as those of a program are.
function(jobd_test_headers)
  if(NOT TARGET jobd_test_headers)
    jobd_program(jobd_test_headers SOURCES ${PROJECT_SOURCE_DIR}/cmake/test_headers.cc LINK GTest::gmock GTest::gtest)
    target_compile_options(jobd_test_headers PRIVATE ${JOBD_TEST_OPTIONS})
    target_precompile_headers(jobd_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h> <algorithm> <chrono> <filesystem>
      <fstream> <functional> <future> <map> <memory> <optional> <set> <sstream> <string> <thread> <variant> <vector>)
  endif()
endfunction()

# jobd_test(NAME SOURCES... ): a GoogleTest program, one ctest entry per program, labelled so that `ctest -L` selects a kind.
function(jobd_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;LINK;ENVIRONMENT" ${ARGN})
  jobd_program(${name} SOURCES ${arg_SOURCES} LINK ${arg_LINK} jobd_test_support GTest::gmock GTest::gtest GTest::gtest_main)
  jobd_test_headers()
  target_compile_options(${name} PRIVATE ${JOBD_TEST_OPTIONS})
  target_precompile_headers(${name} REUSE_FROM jobd_test_headers)
  add_test(NAME ${name} COMMAND ${name})
  if(arg_LABEL STREQUAL "process" OR (arg_LABEL STREQUAL "unit" AND NOT name MATCHES "server|cli"))
    set_property(GLOBAL APPEND PROPERTY JOBD_TESTS_WITHOUT_GRPC ${name})
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT} ENVIRONMENT "${arg_ENVIRONMENT}")
endfunction()
