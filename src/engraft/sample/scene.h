#pragma once

#include <array>
#include <cstdint>

#include "engraft/base/rng.h"
#include "engraft/image/image.h"
#include "engraft/sample/colour.h"
#include "engraft/sample/libcairo.h"

namespace engraft::plates {

// Coordinates. Picture: pixels, x right, y down. Ground: the table's plane in picture heights
// around the picture's middle. Plate: the plane of the plate, its rim at radius 1.

enum class TableKind { kWood, kLinen, kMarble, kTiles, kSlate, kPainted };
inline constexpr int kTableKinds = 6;

struct Table {
  TableKind kind = TableKind::kWood;
  Rgb main, second;            ///< base colour; veins, grout, stripes or dark grain
  float cosine = 1, sine = 0;  ///< of the angle of its pattern
  float scale = 1;             ///< of its pattern
  float gloss = 0;             ///< share of the window that it mirrors
  bool striped = false;        ///< kLinen: woven stripes; kWood: boards
};

enum class PlateShape { kRound, kScalloped, kSquare, kOval };
enum class Decoration { kNone, kBands, kFlowers, kDots, kRays, kSpeckles, kReactive };

struct PlateStyle {
  PlateShape shape = PlateShape::kRound;
  int scallops = 0;
  float centre_x = 0, centre_y = 0;  ///< pixels
  float radius = 100;                ///< pixels, across
  float rotation = 0;
  float well = 0.68f;       ///< radius of the flat middle
  float wall = 0.7f;        ///< slope of the wall around it
  float rim_slope = 0.15f;  ///< slope of the rim
  Rgb glaze;
  float gloss = 0.2f;
  Decoration decoration = Decoration::kNone;
  std::uint32_t paint = 0;  ///< of the decoration, 0xRRGGBB
};

struct Light {
  float x = 0, y = 0, z = 1;  ///< direction to the light, unit length; z up from the table
  float ambient = 0.5f;       ///< share of light that comes from everywhere
  float falloff = 0.2f;       ///< per picture height towards the light
  float shadow = 0.6f;        ///< darkness of cast shadows
  float softness = 0.04f;     ///< of their edges, picture heights
  Rgb colour{1, 1, 1};
  float dapple = 0;                  ///< strength of shade from things outside the picture
  float window_x = 0, window_y = 0;  ///< where its mirror image lies, as a reflected direction
  float window_size = 0.2f;
  bool window_bars = false;
};

struct Camera {
  float squash = 0.8f;  ///< height over width of a circle on the table: sine of the view's pitch
  float perspective = 0.2f;  ///< growth of far distances
  float exposure = 1;
  float contrast = 1;
  float vignette = 0.2f;
  float blur = 0.3f;    ///< share of a 3×3 binomial filter
  float grain = 0.01f;  ///< noise at mid grey
};

/// Everything of a picture but dirt. Drawn in the same way for clean and dirty plates, so that
/// nothing here gives the answer away.
struct Scene {
  Size size;
  Table table;
  PlateStyle plate;
  Light light;
  Camera camera;
};

[[nodiscard]] Scene make_scene(Rng& rng, Size size);

/// The plate's outline: its distance from the middle in each direction, over that of a circle.
class Outline {
 public:
  explicit Outline(const PlateStyle& plate);
  /// At radius 1 it is the rim; the smaller the radius, the rounder.
  [[nodiscard]] float at(float angle, float radius) const {
    return 1 + (edge(angle) - 1) * radius * radius;
  }
  /// The radius of a point in plate coordinates: 1 on the rim. Above 1.3 it need not be exact.
  [[nodiscard]] float radius_of(float x, float y) const;
  /// Adds the outline at a radius as a closed path, in plate coordinates.
  void path(cairo_t* cairo, float radius) const;

 private:
  static constexpr int kSteps = 1024;
  [[nodiscard]] float edge(float angle) const;

  bool circle_;
  std::array<float, kSteps + 1> edge_;
};

/// Plate to picture coordinates.
[[nodiscard]] cairo_matrix_t plate_matrix(const Scene& scene);

}  // namespace engraft::plates
