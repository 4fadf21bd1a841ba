#pragma once

#include <tiffio.h>

#include "engraft/base/shared_library.h"

namespace engraft {

/// libtiff, loaded with the first TIFF picture.
inline constexpr SharedLibrary kLibTiff{ENGRAFT_LIBTIFF};
ENGRAFT_LOADED_LATER(kLibTiff, TIFFClientOpenExt);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFClose);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFGetField);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFGetFieldDefaulted);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFIsTiled);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFOpenOptionsAlloc);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFOpenOptionsFree);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFOpenOptionsSetErrorHandlerExtR);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFOpenOptionsSetMaxSingleMemAlloc);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFOpenOptionsSetWarningHandlerExtR);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFRGBAImageBegin);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFRGBAImageEnd);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFRGBAImageGet);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFRGBAImageOK);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFStripSize64);
ENGRAFT_LOADED_LATER(kLibTiff, TIFFTileSize64);

}  // namespace engraft
