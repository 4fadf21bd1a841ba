# Embeds assets/imagenet_classes.tsv in the library, so that labels need no file at run time.
set(table ${PROJECT_SOURCE_DIR}/assets/imagenet_classes.tsv)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${table})
file(READ ${table} ENGRAFT_IMAGENET_CLASSES)
configure_file(model/imagenet_table.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/imagenet_table.cpp @ONLY)
target_sources(engraft_model PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/imagenet_table.cpp)
