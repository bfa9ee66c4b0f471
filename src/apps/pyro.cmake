# The command `pyro`, and what packages install beside it: all made by the program itself.
if(TARGET pyro_client)
  add_executable(pyro pyro.cc)
  target_link_libraries(pyro PRIVATE pyro_cli pyro_program_flags)
  install(TARGETS pyro RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

  set(pages ${CMAKE_BINARY_DIR}/pages)
  set(pyro_pages)
  function(pyro_page file destination)
    add_custom_command(OUTPUT ${pages}/${file}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${pages}
      COMMAND $<TARGET_FILE:pyro> ${ARGN} > ${pages}/${file}
      DEPENDS pyro VERBATIM)
    install(FILES ${pages}/${file} DESTINATION ${destination})
    set(pyro_pages ${pyro_pages} ${pages}/${file} PARENT_SCOPE)
  endfunction()
  pyro_page(pyro.1 ${CMAKE_INSTALL_MANDIR}/man1 help --man)
  pyro_page(pyro ${CMAKE_INSTALL_DATADIR}/bash-completion/completions completion bash)
  pyro_page(_pyro ${CMAKE_INSTALL_DATADIR}/zsh/site-functions completion zsh)
  pyro_page(pyro.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d completion fish)
  add_custom_target(pyro_pages ALL DEPENDS ${pyro_pages})
endif()
