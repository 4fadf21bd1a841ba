# engraft_proto(TARGET FILE FOLDER): the message classes of a .proto file, made by protoc under FOLDER of the build,
# inside TARGET alone; its sources include them as "<name>.pb.h".
function(engraft_proto target file folder)
  cmake_path(GET file STEM name)
  cmake_path(GET file PARENT_PATH source_folder)
  set(folder ${PROJECT_BINARY_DIR}/${folder})
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${folder}/${name}.pb.h ${folder}/${name}.pb.cc
    COMMAND protobuf::protoc --cpp_out ${folder} --proto_path ${source_folder} ${file}
    DEPENDS ${file} COMMENT "Generating the message classes of ${name}.proto" VERBATIM)
  # -w: code that protoc writes is not held to this project's warnings
  set_source_files_properties(${folder}/${name}.pb.cc PROPERTIES COMPILE_OPTIONS -w SKIP_LINTING ON)
  target_sources(${target} PRIVATE ${folder}/${name}.pb.cc ${folder}/${name}.pb.h)
  target_include_directories(${target} SYSTEM PRIVATE $<BUILD_INTERFACE:${folder}>)
endfunction()
