# Compiler settings shared by everything that is built here, and engraft_module(), the one way to declare a module.

add_library(engraft_build_flags INTERFACE)
target_compile_options(engraft_build_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wno-sign-conversion  # indices are int or size_t as the neighbouring API has them; narrowing stays an error
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # false alarms on std::string in g++ 12 (GCC bug 105651)
  -Werror
  # a*b+c must round the same way on every compiler: fused multiply-add only where a kernel asks for it
  -ffp-contract=off)
if(ENGRAFT_SANITIZE)  # for whole directories, whose options come first: a target may take a sanitizer back
  add_compile_options(-fsanitize=${ENGRAFT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ENGRAFT_SANITIZE})
endif()
if(ENGRAFT_SANITIZE MATCHES address)  # which sees most of what these two do; a sixth of the compile time
  add_compile_options(-fno-sanitize=null,object-size)
endif()

# Most of what a source takes to compile is what it includes, and the templates that all sources use. Those of a target share it;
# what is private to one must therefore not clash with what is private to another.
set(CMAKE_UNITY_BUILD ${ENGRAFT_JOIN_SOURCES})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 0)  # all of them
if(ENGRAFT_JOIN_SOURCES AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(engraft_build_flags INTERFACE -Wno-subobject-linkage)  # takes joined sources for headers
endif()

# engraft_module(NAME [MODULES m...] [PUBLIC lib...] [PRIVATE lib...])
# A static library engraft_NAME from every .cpp under src/engraft/NAME. MODULES are the modules that it may include.
function(engraft_module name)
  cmake_parse_arguments(arg "" "" "MODULES;PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.h)
  set(target engraft_${name})
  if(sources)
    add_library(${target} STATIC ${sources} ${headers})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:engraft_build_flags> ${arg_PRIVATE})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${target} ${scope} cxx_std_20)
  target_link_libraries(${target} ${scope} ${arg_PUBLIC})
  foreach(module IN LISTS arg_MODULES)
    target_link_libraries(${target} ${scope} engraft_${module})
  endforeach()
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY ENGRAFT_MODULES ${target})
endfunction()
