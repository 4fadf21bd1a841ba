#pragma once

#include <cstddef>
#include <span>

#include "engraft/image/image.h"

namespace engraft {

/// How a picture is stored, in the words of EXIF tag 0x0112 (TIFF 6.0, p. 36): where the stored
/// row 0 and column 0 belong in the upright picture.
enum class ExifOrientation {
  kUpright = 1,         ///< top, left
  kMirrored = 2,        ///< top, right: flip horizontally
  kRotated180 = 3,      ///< bottom, right
  kUpsideDown = 4,      ///< bottom, left: flip vertically
  kTransposed = 5,      ///< left, top: swap x and y
  kNeedsClockwise = 6,  ///< right, top: turn 90° clockwise
  kTransversed = 7,     ///< right, bottom: swap over the other diagonal
  kNeedsCounter = 8,    ///< left, bottom: turn 90° counter-clockwise
};

/// Values outside 1…8 count as upright, as in every viewer.
[[nodiscard]] ExifOrientation orientation_from_number(int number);

/// The orientation in an EXIF block (with or without its leading "Exif\0\0"); upright when there
/// is none or the block is broken: a photo is worth more than its notes.
[[nodiscard]] ExifOrientation exif_orientation(std::span<const std::byte> exif);

/// Whether the upright picture is as wide as the stored one is high.
[[nodiscard]] bool swaps_sides(ExifOrientation orientation);

/// stored → upright.
[[nodiscard]] Image turn_upright(Image stored, ExifOrientation orientation);

}  // namespace engraft
