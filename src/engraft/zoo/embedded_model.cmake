# Embeds assets/engraft-mini.onnx in the library as it is, so that there is a model without a file or a network.
set(ENGRAFT_EMBEDDED_MODEL ${PROJECT_SOURCE_DIR}/assets/engraft-mini.onnx)
set(embedded_source ${CMAKE_CURRENT_BINARY_DIR}/embedded_model.cpp)
configure_file(zoo/embedded_model.cpp.in ${embedded_source} @ONLY)
set_source_files_properties(${embedded_source} PROPERTIES OBJECT_DEPENDS ${ENGRAFT_EMBEDDED_MODEL})
target_sources(engraft_zoo PRIVATE ${embedded_source})
