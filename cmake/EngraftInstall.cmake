# Install rules and the exported package: find_package(engraft) gives the target engraft::engraft.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/engraft)
get_property(modules GLOBAL PROPERTY ENGRAFT_MODULES)

install(TARGETS engraft_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS engraft ${modules} EXPORT engraft-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/engraft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/generated/engraft/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/engraft)
install(EXPORT engraft-targets NAMESPACE engraft:: DESTINATION ${package_dir})

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/engraft-config.cmake.in
  ${PROJECT_BINARY_DIR}/engraft-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/engraft-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/engraft-config.cmake ${PROJECT_BINARY_DIR}/engraft-config-version.cmake
  ${PROJECT_SOURCE_DIR}/cmake/EngraftDependencies.cmake ${PROJECT_SOURCE_DIR}/cmake/FindOneDNN.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindLibCsv.cmake
  DESTINATION ${package_dir})
