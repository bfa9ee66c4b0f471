# pyro_library(NAME DEPS a b THIRD_PARTY x y): one library for one folder of src/. Sources are all
# *.cc but *_test.cc and *_fuzz.cc; the tests beside the source become the program NAME_test, and
# each NAME_fuzz.cc a libFuzzer program (PYRO_FUZZ) or a test that runs its corpus, and changes of it
# for some seconds (otherwise).
# Which folder may include which is checked by tools/lint_layers.py.
option(PYRO_FUZZ "Build fuzz targets with libFuzzer" OFF)
option(PYRO_WERROR "Warnings are errors" OFF)
set(PYRO_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined")

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# What libpyro.so shows is marked (pyro/export.h).
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

add_library(pyro_flags INTERFACE)
target_include_directories(pyro_flags INTERFACE
  ${CMAKE_CURRENT_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/generated)
# -iquote and not -I: our folder sys/ must not answer for <sys/file.h>.
target_compile_options(pyro_flags INTERFACE -iquote ${CMAKE_CURRENT_SOURCE_DIR}/src
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Wcast-align
  -Woverloaded-virtual -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough -Wno-missing-designated-field-initializers
  $<$<BOOL:${PYRO_WERROR}>:-Werror>
  -fstack-protector-strong -fstack-clash-protection -fcf-protection -ftrivial-auto-var-init=zero)
target_compile_definitions(pyro_flags INTERFACE _GLIBCXX_ASSERTIONS)
if(NOT PYRO_SANITIZE)
  target_compile_definitions(pyro_flags INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=3>)
endif()
if(PYRO_SANITIZE)
  target_compile_options(pyro_flags INTERFACE -fsanitize=${PYRO_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(pyro_flags INTERFACE -fsanitize=${PYRO_SANITIZE})
endif()

# Host programs: position independent, read-only relocations, unused sections dropped.
add_library(pyro_program_flags INTERFACE)
target_link_options(pyro_program_flags INTERFACE
  -pie -fuse-ld=lld-19 -Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--as-needed)
target_compile_options(pyro_flags INTERFACE -ffunction-sections -fdata-sections)

function(pyro_library name)
  cmake_parse_arguments(arg "" "" "DEPS;THIRD_PARTY" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  set(fuzzers ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(TRANSFORM arg_DEPS PREPEND pyro_)
  add_library(pyro_${name} STATIC ${sources})
  target_link_libraries(pyro_${name} PUBLIC pyro_flags ${arg_DEPS} ${arg_THIRD_PARTY})
  if(PYRO_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE pyro_${name} pyro_program_flags GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE PYRO_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME unit.${name} COMMAND ${name}_test)
  endif()
  foreach(fuzzer IN LISTS fuzzers)
    get_filename_component(fuzz_name ${fuzzer} NAME_WE)
    if(PYRO_FUZZ)
      add_executable(${fuzz_name} ${fuzzer})
      target_compile_options(${fuzz_name} PRIVATE -fsanitize=fuzzer)
      target_link_options(${fuzz_name} PRIVATE -fsanitize=fuzzer)
      target_link_libraries(${fuzz_name} PRIVATE pyro_${name} pyro_program_flags)
    elseif(PYRO_TESTS)
      add_executable(${fuzz_name} ${fuzzer} ${CMAKE_SOURCE_DIR}/fuzz/blind_main.cc)
      target_link_libraries(${fuzz_name} PRIVATE pyro_${name} pyro_program_flags)
      add_test(NAME corpus.${fuzz_name} COMMAND ${fuzz_name} --seconds 2 ${CMAKE_SOURCE_DIR}/fuzz/corpus/${fuzz_name})
    endif()
  endforeach()
endfunction()
