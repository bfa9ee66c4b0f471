# libpyro.so: the C++ library (include/pyro/*.hpp) and the C ABI (pyro.h), with what they stand on
# inside. What it shows is what PYRO_API marks: everything is compiled with hidden visibility,
# archives of others are left out, and libpyro.map keeps back the standard library's templates.
include(CMakePackageConfigHelpers)

add_library(pyro_shared SHARED ${CMAKE_SOURCE_DIR}/bindings/json_library.cc
  $<TARGET_OBJECTS:pyro_capi> $<TARGET_OBJECTS:pyro_client> $<TARGET_OBJECTS:pyro_base>)
target_link_libraries(pyro_shared PRIVATE pyro_capi)
target_include_directories(pyro_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(pyro_shared INTERFACE cxx_std_23)
target_link_options(pyro_shared PRIVATE -fuse-ld=lld-19 -Wl,-z,relro,-z,now -Wl,--gc-sections
  -Wl,--as-needed -Wl,--exclude-libs,ALL -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/libpyro.map)
set_target_properties(pyro_shared PROPERTIES
  OUTPUT_NAME pyro EXPORT_NAME pyro LINKER_LANGUAGE CXX
  LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/libpyro.map
  # Until 1.0 a minor version may break.
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/pyro)
install(TARGETS pyro_shared EXPORT pyro-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/pyro DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT pyro-targets NAMESPACE pyro:: DESTINATION ${package} FILE pyro-config.cmake)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/pyro-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/pyro-config-version.cmake DESTINATION ${package})

file(RELATIVE_PATH PYRO_PC_TO_PREFIX
  /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" PYRO_PC_TO_PREFIX ${PYRO_PC_TO_PREFIX})
configure_file(${CMAKE_SOURCE_DIR}/cmake/pyro.pc.in ${CMAKE_BINARY_DIR}/pyro.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/pyro.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
