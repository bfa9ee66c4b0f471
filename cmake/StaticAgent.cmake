# pyro-agent: one static program for the initramfs, built small whatever the build type, so its
# sources are compiled again with flags of their own. GNU ld, because lld does not report functions
# that need shared libraries at run time; that report is an error here.
set(agent_sources ${CMAKE_SOURCE_DIR}/src/apps/pyro_agent.cc)
foreach(module IN ITEMS base sys wire io proto rpc agent)
  file(GLOB module_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${module}/*.cc)
  list(FILTER module_sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
  list(APPEND agent_sources ${module_sources})
endforeach()
# Host folders: not of the guest, and getpwuid(3) needs shared libraries.
list(FILTER agent_sources EXCLUDE REGEX "/sys/(dirs|staging)\\.cc$")
add_executable(pyro-agent ${agent_sources})
set_target_properties(pyro-agent PROPERTIES POSITION_INDEPENDENT_CODE OFF)
target_include_directories(pyro-agent PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/generated)
target_compile_options(pyro-agent PRIVATE -iquote ${CMAKE_SOURCE_DIR}/src
  -Os -g0 -fPIE -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
  -fstack-protector-strong -ftrivial-auto-var-init=zero -Wall -Wextra
  -Wno-missing-designated-field-initializers -Wno-missing-field-initializers
  $<$<BOOL:${PYRO_WERROR}>:-Werror>)
target_compile_definitions(pyro-agent PRIVATE _GLIBCXX_ASSERTIONS NDEBUG)
target_link_libraries(pyro-agent PRIVATE pyro_asio pyro_json)
target_link_options(pyro-agent PRIVATE -static-pie -fuse-ld=bfd -s -Wl,--gc-sections
  -Wl,-z,relro,-z,now -Wl,--fatal-warnings)
add_custom_command(TARGET pyro-agent POST_BUILD
  COMMAND ${CMAKE_COMMAND} -DFILE=$<TARGET_FILE:pyro-agent> -DLIMIT=2621440
          -P ${CMAKE_SOURCE_DIR}/cmake/CheckSize.cmake
  VERBATIM)
install(TARGETS pyro-agent RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/pyro)
