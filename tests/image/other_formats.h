#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engraft/base/file.h"
#include "engraft/image/image.h"

/// Writers for GIF, TIFF and HEIF.
namespace engraft::test {

struct GifSpec {
  Size canvas{};
  int left = 0, top = 0;
  bool interlaced = false;
  std::optional<int> transparent = {};
  int frames = 1;  // those after the first show colour 1 everywhere
};
/// indices: one a pixel of the frame; palette: up to 256 RGB entries.
[[nodiscard]] Bytes write_gif(Size frame, const std::vector<std::uint8_t>& indices,
                              const std::vector<std::array<std::uint8_t, 3>>& palette,
                              const GifSpec& spec);

struct TiffSpec {
  int samples = 3;
  int bits = 8;
  int photometric = 2;  // RGB
  int compression = 5;  // LZW
  int orientation = 1;
  int extra_sample = -1;  // 1 premultiplied, 2 straight alpha
  bool tiled = false;
  bool planar = false;
  bool big_endian = false;
};
/// values: samples of each pixel, 8 or 16 bits each.
[[nodiscard]] Bytes write_tiff(Size size, const std::vector<std::uint16_t>& values,
                               const TiffSpec& spec);

enum class HeifCodec { kHevc, kAv1 };
struct HeifSpec {
  HeifCodec codec = HeifCodec::kAv1;
  int orientation = 1;  // as EXIF counts, stored as the format's own transformations
  Bytes exif = {};      // beside it
  std::optional<std::uint8_t> alpha = {};
};
/// Empty where the codec has no encoder on this machine.
[[nodiscard]] Bytes write_heif(const Image& image, const HeifSpec& spec);

}  // namespace engraft::test
