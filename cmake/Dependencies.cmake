# Everything from outside, found once and named. All of it comes from Debian 12.

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(spdlog REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(GTest REQUIRED)
find_package(Protobuf REQUIRED)

# Header-only parts of Boost 1.81: Asio, Process v2, CRC.
find_path(JOBD_BOOST_INCLUDE boost/process/v2.hpp REQUIRED)
add_library(jobd_boost INTERFACE)
target_include_directories(jobd_boost SYSTEM INTERFACE ${JOBD_BOOST_INCLUDE})
target_compile_definitions(jobd_boost INTERFACE BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(jobd_boost INTERFACE Threads::Threads)

# Header-only: CLI11, nlohmann-json.
find_path(JOBD_CLI11_INCLUDE CLI/CLI.hpp REQUIRED)
find_path(JOBD_JSON_INCLUDE nlohmann/json.hpp REQUIRED)
add_library(jobd_cli11 INTERFACE)
target_include_directories(jobd_cli11 SYSTEM INTERFACE ${JOBD_CLI11_INCLUDE})
add_library(jobd_json INTERFACE)
target_include_directories(jobd_json SYSTEM INTERFACE ${JOBD_JSON_INCLUDE})

# toml++ as headers alone and reporting errors by value; Debian's compiled library throws.
find_path(JOBD_TOML_INCLUDE toml++/toml.h REQUIRED)
add_library(jobd_toml INTERFACE)
target_include_directories(jobd_toml SYSTEM INTERFACE ${JOBD_TOML_INCLUDE})
target_compile_definitions(jobd_toml INTERFACE TOML_HEADER_ONLY=1 TOML_EXCEPTIONS=0)

# The codec alone: the seekable format around it is ours.
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
add_library(jobd_zstd INTERFACE)
target_link_libraries(jobd_zstd INTERFACE PkgConfig::ZSTD)

pkg_check_modules(YAMLCPP REQUIRED IMPORTED_TARGET yaml-cpp)
find_library(JOBD_SQLITECPP SQLiteCpp REQUIRED)
add_library(jobd_sqlite INTERFACE)
target_link_libraries(jobd_sqlite INTERFACE ${JOBD_SQLITECPP} SQLite::SQLite3)

# The core alone: counters, histograms and the text of them. How they are served is our own affair.
find_package(prometheus-cpp CONFIG REQUIRED)

# Base64. Archives, since jobd is static.
pkg_check_modules(ABSL_STRINGS REQUIRED absl_strings)
add_library(jobd_absl_strings INTERFACE)
foreach(library IN LISTS ABSL_STRINGS_STATIC_LIBRARIES)
  if(library MATCHES "^absl_")
    find_library(JOBD_ARCHIVE_${library} NAMES lib${library}.a REQUIRED)
    target_link_libraries(jobd_absl_strings INTERFACE ${JOBD_ARCHIVE_${library}})
  endif()
endforeach()

# argon2id, and random numbers. An archive, since jobd is static.
find_path(JOBD_SODIUM_INCLUDE sodium.h REQUIRED)
find_library(JOBD_SODIUM_ARCHIVE NAMES libsodium.a REQUIRED)
add_library(jobd_sodium INTERFACE)
target_include_directories(jobd_sodium SYSTEM INTERFACE ${JOBD_SODIUM_INCLUDE})
target_link_libraries(jobd_sodium INTERFACE ${JOBD_SODIUM_ARCHIVE} Threads::Threads)

# gRPC and Protobuf as static archives: a call of jobctl costs 10 ms instead of 16, most of the rest being dynamic linking.
pkg_check_modules(GRPC REQUIRED grpc++)
set(jobd_grpc_archives)
foreach(library IN LISTS GRPC_STATIC_LIBRARIES)
  if(library MATCHES "^(grpc\\+\\+|grpc|gpr|address_sorting|re2|upb|cares|z|absl_.*)$")
    find_library(JOBD_ARCHIVE_${library} NAMES lib${library}.a REQUIRED)
    list(APPEND jobd_grpc_archives ${JOBD_ARCHIVE_${library}})
  endif()
endforeach()
list(REMOVE_DUPLICATES jobd_grpc_archives)
find_library(JOBD_PROTOBUF_ARCHIVE NAMES libprotobuf.a REQUIRED)
add_library(jobd_protobuf INTERFACE)
target_link_libraries(jobd_protobuf INTERFACE ${JOBD_PROTOBUF_ARCHIVE} Threads::Threads)
add_library(jobd_grpc INTERFACE)
target_link_libraries(jobd_grpc INTERFACE
  -Wl,--start-group ${jobd_grpc_archives} ${JOBD_PROTOBUF_ARCHIVE} -Wl,--end-group
  OpenSSL::SSL OpenSSL::Crypto Threads::Threads ${CMAKE_DL_LIBS} rt)

find_program(JOBD_PROTOC protoc REQUIRED)
find_program(JOBD_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)
find_path(JOBD_GOOGLEAPIS google/api/annotations.proto REQUIRED PATHS
  /usr/share/gocode/src/github.com/grpc-ecosystem/grpc-gateway/third_party/googleapis)
