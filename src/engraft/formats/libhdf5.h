#pragma once

#include <hdf5.h>

#include "engraft/base/shared_library.h"

namespace engraft {

/// HDF5, which brings libcurl with it: loaded with the first file of Keras weights.
inline constexpr SharedLibrary kLibHdf5{ENGRAFT_LIBHDF5};
ENGRAFT_LOADED_LATER(kLibHdf5, H5Aclose);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Aexists);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Aget_space);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Aget_type);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Aopen);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Aread);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Dget_create_plist);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Dget_space);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Dget_type);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Dread);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Dvlen_reclaim);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Eget_auto2);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Eset_auto2);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Fclose);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Fopen);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Gclose);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Gopen2);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Iget_type);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Lexists);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Lget_info);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Literate);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Oclose);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Oopen);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Pclose);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Pcreate);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Pget_chunk);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Pget_external_count);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Pget_filter2);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Pget_layout);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Pget_nfilters);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Pset_fclose_degree);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Pset_file_locking);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Sclose);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Sget_simple_extent_dims);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Sget_simple_extent_ndims);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Sget_simple_extent_npoints);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Sget_simple_extent_type);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Tclose);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Tget_class);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Tget_ebias);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Tget_fields);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Tget_size);
ENGRAFT_LOADED_LATER(kLibHdf5, H5Tis_variable_str);
ENGRAFT_LOADED_LATER(kLibHdf5, H5check_version);
ENGRAFT_LOADED_LATER(kLibHdf5, H5dont_atexit);
ENGRAFT_LOADED_LATER(kLibHdf5, H5open);
ENGRAFT_READ_LATER(kLibHdf5, H5P_CLS_FILE_ACCESS_ID_g);
ENGRAFT_READ_LATER(kLibHdf5, H5T_NATIVE_FLOAT_g);

}  // namespace engraft
