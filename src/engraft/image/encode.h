#pragma once

#include "engraft/base/file.h"
#include "engraft/image/image.h"

namespace engraft {

/// Baseline JPEG, 4:2:0. quality in [1, 100].
[[nodiscard]] Bytes encode_jpeg(const Image& image, int quality);

/// 8-bit RGB PNG.
[[nodiscard]] Bytes encode_png(const Image& image);

}  // namespace engraft
