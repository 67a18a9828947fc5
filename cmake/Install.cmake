# `make install` honours DESTDIR and PREFIX.
include(GNUInstallDirs)
# jobd looks for jobd-server beside itself, so both go to one place.
install(TARGETS jobd jobd-server jobctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(PROGRAMS ${PROJECT_SOURCE_DIR}/certs/make-certs.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/jobd)
install(FILES ${PROJECT_SOURCE_DIR}/docs/jobd.example.toml DESTINATION ${CMAKE_INSTALL_DATADIR}/jobd)

# systemd reads these folders below /usr and /usr/local. The units name the programs by their paths, which only the installation knows.
set(units ${PROJECT_SOURCE_DIR}/packaging/systemd)
install(CODE "
  set(JOBD_BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
  foreach(unit jobd.service jobd-server.service)
    configure_file(${units}/\${unit}.in ${CMAKE_BINARY_DIR}/\${unit} @ONLY)
  endforeach()")
install(FILES ${CMAKE_BINARY_DIR}/jobd.service ${CMAKE_BINARY_DIR}/jobd-server.service DESTINATION lib/systemd/system)
install(FILES ${units}/sysusers.conf DESTINATION lib/sysusers.d RENAME jobd.conf)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/logrotate.conf DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/logrotate.d RENAME jobd)
install(FILES ${units}/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME jobd.conf)
