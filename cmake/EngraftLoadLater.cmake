# engraft_load_later(TARGET MACRO INCLUDES folder... LIBRARIES file...): TARGET is compiled with a library's headers, but not
# linked to it (except with sanitizers): base/shared_library.h loads it when it is needed, by the name in MACRO. That is the
# name which a program linked to the first of the files would ask the loader for, so that the library fits the headers.
function(engraft_load_later target macro)
  cmake_parse_arguments(arg "" "" "INCLUDES;LIBRARIES" ${ARGN})
  list(GET arg_LIBRARIES 0 library)
  execute_process(COMMAND ${CMAKE_READELF} -d ${library} OUTPUT_VARIABLE sections ERROR_VARIABLE ignored)
  if(NOT sections MATCHES "\\(SONAME\\)[^[]*\\[([^]]+)\\]")
    message(FATAL_ERROR "${library}: is not a shared library with a SONAME; install the one of its -dev package")
  endif()
  target_compile_definitions(${target} PRIVATE ${macro}="${CMAKE_MATCH_1}")
  target_include_directories(${target} SYSTEM PRIVATE ${arg_INCLUDES})
  if(ENGRAFT_SANITIZE)  # LeakSanitizer crashes over thread-local memory of libraries that were not there from the start
    target_link_libraries(${target} INTERFACE ${arg_LIBRARIES})
    target_link_options(${target} INTERFACE LINKER:--no-as-needed)
  endif()
  file(REAL_PATH ${library} file)
  cmake_path(GET file PARENT_PATH folder)
  if(NOT folder IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)  # then the loader does not look there by itself
    target_link_options(${target} INTERFACE $<BUILD_INTERFACE:LINKER:-rpath,${folder}>)
  endif()
endfunction()
