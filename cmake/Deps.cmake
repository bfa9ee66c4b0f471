# Every outside dependency, once, with the reason it is here. All are Debian 12 packages; the
# package names that dev/ scripts install are in dev/packages.
set(CMAKE_THREAD_PREFER_PTHREAD ON)
find_package(Threads REQUIRED)
# Event loop, sockets, timers, coroutines (headers only). Debian's libboost-dev is 1.74: name 1.81.
find_package(Boost 1.81 EXACT REQUIRED)
# JSON with a depth limit. Linked statically so that the agent and the command carry their own.
find_library(PYRO_BOOST_JSON NAMES libboost_json.a REQUIRED)
find_library(PYRO_BOOST_CONTAINER NAMES libboost_container.a REQUIRED)
# Records: one SQLite file for each sandbox.
find_library(PYRO_SQLITE NAMES libsqlite3.a REQUIRED)
# SHA-256 of environment artefacts.
find_library(PYRO_CRYPTO NAMES libcrypto.a REQUIRED)
# The filter that answers QEMU's one writable open.
find_library(PYRO_SECCOMP NAMES libseccomp.a REQUIRED)
# Archives that seed a workspace. Static, so that no command loads it (or a decompressor) that reads
# no archive; of its formats only what src/seed names is linked.
find_library(PYRO_ARCHIVE NAMES libarchive.a REQUIRED)
find_library(PYRO_Z NAMES libz.a REQUIRED)
find_library(PYRO_ZSTD NAMES libzstd.a REQUIRED)

add_library(pyro_asio INTERFACE)
target_include_directories(pyro_asio SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_compile_definitions(pyro_asio INTERFACE BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(pyro_asio INTERFACE Threads::Threads)

add_library(pyro_json INTERFACE)
target_include_directories(pyro_json SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_link_libraries(pyro_json INTERFACE ${PYRO_BOOST_JSON} ${PYRO_BOOST_CONTAINER})

# Text formatting: std::format is missing from libstdc++ 12.
add_library(pyro_fmt INTERFACE)
target_compile_definitions(pyro_fmt INTERFACE FMT_HEADER_ONLY)

if(PYRO_TESTS)
  find_package(GTest REQUIRED)
endif()
