# `make install` honours DESTDIR and PREFIX.
include(GNUInstallDirs)
# jobd looks for jobd-server beside itself, so both go to one place.
install(TARGETS jobd jobd-server jobctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(PROGRAMS ${PROJECT_SOURCE_DIR}/certs/make-certs.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/jobd)
install(FILES ${PROJECT_SOURCE_DIR}/docs/jobd.example.toml DESTINATION ${CMAKE_INSTALL_DATADIR}/jobd)
