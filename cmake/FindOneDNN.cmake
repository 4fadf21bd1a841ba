# OneDNN::OneDNN. Debian's own dnnl-config.cmake asks for OpenCL's development files, which a CPU user does not need.
find_path(OneDNN_INCLUDE_DIR oneapi/dnnl/dnnl.hpp)
find_library(OneDNN_LIBRARY dnnl)
# Debian's oneDNN runs on GCC's OpenMP runtime, and the engine sets its number of threads. By the name of the runtime
# itself: the development link lies in a folder that only g++ searches, and clang would take LLVM's.
find_library(OneDNN_OPENMP_LIBRARY libgomp.so.1)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_OPENMP_LIBRARY
  OneDNN_INCLUDE_DIR)
if(OneDNN_FOUND AND NOT TARGET OneDNN::OneDNN)
  add_library(OneDNN::OneDNN UNKNOWN IMPORTED)
  set_target_properties(OneDNN::OneDNN PROPERTIES IMPORTED_LOCATION ${OneDNN_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${OneDNN_INCLUDE_DIR} INTERFACE_LINK_LIBRARIES ${OneDNN_OPENMP_LIBRARY})
endif()
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY OneDNN_OPENMP_LIBRARY)
