#pragma once

#include <functional>

#include "engraft/sample/dirt.h"

namespace engraft::plates {

inline constexpr double kTurn = 6.283185307179586;

[[nodiscard]] inline double random(Rng& rng, double low, double high) {
  return low + (high - low) * double{rng.uniform()};
}

/// The same colour a little lighter or darker, each channel by up to `spread` of 255.
[[nodiscard]] std::uint32_t vary(Rng& rng, std::uint32_t srgb, int spread);

struct Spot {
  double x = 0, y = 0;
};
/// A random place on the plate, evenly spread within `within` of the middle.
[[nodiscard]] Spot random_spot(Rng& rng, double within);

struct Material {
  std::uint32_t colour = 0;
  double alpha = 1;
  double wet = 0;     ///< 0 matt, 1 wet
  double height = 0;  ///< 0 flat, 1 as high as a pea
};

/// Paints a shape in all layers at once.
class Brush {
 public:
  explicit Brush(Leavings& leavings) : leavings_(leavings) {}
  using Path = std::function<void(cairo_t*)>;

  void fill(const Path& path, const Material& material) const;
  void stroke(const Path& path, const Material& material, double width) const;
  /// A disc that bulges in the middle.
  void dome(Spot at, double radius, const Material& material) const;
  /// Takes away, as a fork does, along a path.
  void scrape(const Path& path, double strength, double width) const;

 private:
  Leavings& leavings_;
};

/// Adds a closed curve about `at`, as uneven as `unevenness` says (0: a circle).
struct BlobShape {
  Spot at;
  double radius = 0.1;
  double unevenness = 0.2;
  double stretch = 1;  ///< length over width
};
[[nodiscard]] Brush::Path blob(Rng& rng, const BlobShape& shape);

}  // namespace engraft::plates
