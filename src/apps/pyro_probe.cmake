# pyro-probe: one static program that a guest of any kind can run. It says what it needs itself and
# stands on nothing of src/ but its own folder.
file(GLOB probe_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/probe/*.cc)
add_executable(pyro-probe pyro_probe.cc ${probe_sources})
set_target_properties(pyro-probe PROPERTIES POSITION_INDEPENDENT_CODE OFF)
target_compile_options(pyro-probe PRIVATE -iquote ${CMAKE_SOURCE_DIR}/src
  -Os -g0 -fPIE -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
  -fstack-protector-strong -ftrivial-auto-var-init=zero -Wall -Wextra -Wno-missing-designated-field-initializers
  $<$<BOOL:${PYRO_WERROR}>:-Werror>)
target_link_options(pyro-probe PRIVATE -static-pie -fuse-ld=bfd -s -Wl,--gc-sections
  -Wl,-z,relro,-z,now -Wl,--fatal-warnings)
install(TARGETS pyro-probe RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/pyro)
