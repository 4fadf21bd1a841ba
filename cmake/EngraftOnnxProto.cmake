# engraft_onnx_proto(TARGET): ONNX's message classes, made by protoc from the installed onnx.proto, inside TARGET
# alone; its sources include them as "onnx.pb.h".
function(engraft_onnx_proto target)
  set(folder ${PROJECT_BINARY_DIR}/onnx_proto)
  file(MAKE_DIRECTORY ${folder})
  cmake_path(GET ENGRAFT_ONNX_PROTO PARENT_PATH source_folder)
  add_custom_command(OUTPUT ${folder}/onnx.pb.h ${folder}/onnx.pb.cc
    COMMAND protobuf::protoc --cpp_out ${folder} --proto_path ${source_folder} ${ENGRAFT_ONNX_PROTO}
    DEPENDS ${ENGRAFT_ONNX_PROTO} COMMENT "Generating ONNX's message classes" VERBATIM)
  # -w: code that protoc writes is not held to this project's warnings
  set_source_files_properties(${folder}/onnx.pb.cc PROPERTIES COMPILE_OPTIONS -w SKIP_LINTING ON)
  target_sources(${target} PRIVATE ${folder}/onnx.pb.cc ${folder}/onnx.pb.h)
  target_include_directories(${target} SYSTEM PRIVATE $<BUILD_INTERFACE:${folder}>)
endfunction()
