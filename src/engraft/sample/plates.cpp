#include "engraft/sample/plates.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/base/rng.h"
#include "engraft/sample/camera.h"
#include "engraft/sample/decoration.h"
#include "engraft/sample/dirt.h"
#include "engraft/sample/props.h"
#include "engraft/sample/shading.h"

namespace engraft {
namespace plates {
namespace {

/// The plate's outline, thrown away from the light: a soft part from its raised rim, a tight part
/// where it stands.
Layer cast_shadow(const Scene& scene, const Outline& outline) {
  constexpr float kRimHeight = 0.11f;                            // over the radius
  constexpr float kParts[][2] = {{1.0f, 0.75f}, {0.35f, 0.9f}};  // share of the height, darkness
  const float reach = kRimHeight * scene.plate.radius / scene.light.z;
  const cairo_matrix_t on_plate = plate_matrix(scene);
  const auto height = static_cast<float>(scene.size.height);
  Layer shadow(scene.size, LayerKind::kMask);
  cairo_t* cairo = shadow.cairo();
  for (const auto& [part, darkness] : kParts) {
    cairo_identity_matrix(cairo);
    cairo_translate(cairo, double{-scene.light.x * reach * part},
                    double{-scene.light.y * reach * part + 0.02f * scene.plate.radius});
    cairo_transform(cairo, &on_plate);
    cairo_new_path(cairo);
    outline.path(cairo, 1.0f);
    cairo_set_source_rgba(cairo, 0, 0, 0, double{darkness});
    cairo_fill(cairo);
    shadow.blur(std::max(1, static_cast<int>(scene.light.softness * height * part)));
  }
  return shadow;
}

Layer paint_plate(const Scene& scene, const Outline& outline, Rng& rng) {
  Layer paint(scene.size, LayerKind::kColour);
  if (scene.plate.decoration == Decoration::kNone) return paint;
  const cairo_matrix_t matrix = plate_matrix(scene);
  cairo_set_matrix(paint.cairo(), &matrix);
  draw_decoration(paint.cairo(), rng, scene.plate, outline);
  paint.flush();
  return paint;
}

Props lay_table(const Scene& scene, Rng& rng) {
  Props props(scene.size);
  draw_props(props, rng, scene);
  const float blur = 0.25f * scene.light.softness * static_cast<float>(scene.size.height);
  for (Layer* shadow : {&props.table_shadow, &props.plate_shadow}) {
    shadow->blur(std::max(1, static_cast<int>(blur)));
  }
  props.on_table.flush();
  props.on_plate.flush();
  return props;
}

Leavings eat(const Scene& scene, Plate kind, Rng& rng) {
  Leavings leavings(scene.size);
  if (kind == Plate::kDirty) draw_dirt(leavings, rng, scene);
  leavings.colour.flush();
  leavings.wet.flush();
  leavings.height.flush();
  return leavings;
}

}  // namespace
}  // namespace plates

Image draw_plate(Plate kind, std::uint64_t seed, std::uint64_t index, Size size) {
  constexpr int kSmallestSide = 16;
  constexpr int kLargestSide = 4096;
  if (std::min(size.width, size.height) < kSmallestSide ||
      std::max(size.width, size.height) > kLargestSide) {
    throw Error(ErrorKind::kUsage,
                fmt::format("a sample picture of {}x{} pixels cannot be drawn; sides are {} to {}",
                            size.width, size.height, kSmallestSide, kLargestSide));
  }
  Rng rng(seed, static_cast<std::uint64_t>(kind), index);
  const plates::Scene scene = plates::make_scene(rng, size);
  const plates::Noise noise(rng);
  const plates::Outline outline(scene.plate);
  const plates::Layer paint = plates::paint_plate(scene, outline, rng);
  const plates::Props props = plates::lay_table(scene, rng);
  const plates::Leavings leavings = plates::eat(scene, kind, rng);
  const plates::Layer shadow = plates::cast_shadow(scene, outline);
  plates::Radiance light = plates::shade(
      scene, noise, outline,
      {.leavings = leavings, .decoration = paint, .plate_shadow = shadow, .props = props});
  return plates::photograph(std::move(light), scene.camera, rng);
}

}  // namespace engraft
