#include "engraft/sample/dirt_brush.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace engraft::plates {

std::uint32_t vary(Rng& rng, std::uint32_t srgb, int spread) {
  const int all = static_cast<int>(rng.below(static_cast<std::uint32_t>(2 * spread + 1))) - spread;
  std::uint32_t result = 0;
  for (const int shift : {16, 8, 0}) {
    const int own =
        static_cast<int>(rng.below(static_cast<std::uint32_t>(spread + 1))) - spread / 2;
    const int value = static_cast<int>(srgb >> shift & 0xFF) + all + own;
    result |= static_cast<std::uint32_t>(std::clamp(value, 0, 255)) << shift;
  }
  return result;
}

Spot random_spot(Rng& rng, double within) {
  const double angle = random(rng, 0, kTurn);
  const double distance = within * std::sqrt(random(rng, 0, 1));
  return {distance * std::cos(angle), distance * std::sin(angle)};
}

void Brush::fill(const Path& path, const Material& material) const {
  const auto layer = [&](Layer& on, double alpha) {
    if (alpha <= 0) return;
    cairo_new_path(on.cairo());
    path(on.cairo());
    set_source(on.cairo(), material.colour, alpha);
    cairo_fill(on.cairo());
  };
  layer(leavings_.colour, material.alpha);
  layer(leavings_.wet, material.wet);
  layer(leavings_.height, material.height);
}

void Brush::stroke(const Path& path, const Material& material, double width) const {
  const auto layer = [&](Layer& on, double alpha, double share) {
    if (alpha <= 0) return;
    cairo_new_path(on.cairo());
    path(on.cairo());
    set_source(on.cairo(), material.colour, alpha);
    cairo_set_line_width(on.cairo(), width * share);
    cairo_set_line_cap(on.cairo(), CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(on.cairo(), CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(on.cairo());
  };
  layer(leavings_.colour, material.alpha, 1);
  layer(leavings_.wet, material.wet, 1);
  // Narrower strokes on top of one another: round, as a strand is.
  for (const double share : {1.0, 0.7, 0.4}) layer(leavings_.height, material.height / 2, share);
}

void Brush::dome(Spot at, double radius, const Material& material) const {
  Material flat = material;
  flat.height = 0;
  fill([&](cairo_t* cairo) { cairo_arc(cairo, at.x, at.y, radius, 0, kTurn); }, flat);
  cairo_t* cairo = leavings_.height.cairo();
  cairo_pattern_t* bulge = cairo_pattern_create_radial(at.x, at.y, 0, at.x, at.y, radius);
  for (const double r : {0.0, 0.35, 0.6, 0.8, 0.92, 1.0}) {  // a sphere's height
    cairo_pattern_add_color_stop_rgba(bulge, r, 0, 0, 0, material.height * std::sqrt(1 - r * r));
  }
  cairo_new_path(cairo);
  cairo_arc(cairo, at.x, at.y, radius, 0, kTurn);
  cairo_set_source(cairo, bulge);
  cairo_pattern_destroy(bulge);
  cairo_fill(cairo);
}

void Brush::scrape(const Path& path, double strength, double width) const {
  for (Layer* layer : {&leavings_.colour, &leavings_.wet, &leavings_.height}) {
    cairo_t* cairo = layer->cairo();
    cairo_save(cairo);
    cairo_set_operator(cairo, CAIRO_OPERATOR_DEST_OUT);
    cairo_new_path(cairo);
    path(cairo);
    cairo_set_source_rgba(cairo, 0, 0, 0, strength);
    cairo_set_line_width(cairo, width);
    cairo_set_line_cap(cairo, CAIRO_LINE_CAP_ROUND);
    cairo_stroke(cairo);
    cairo_restore(cairo);
  }
}

Brush::Path blob(Rng& rng, const BlobShape& shape) {
  constexpr int kHarmonics = 5;
  std::array<double, kHarmonics> weight{};
  std::array<double, kHarmonics> phase{};
  for (int k = 0; k < kHarmonics; ++k) {
    const auto i = static_cast<std::size_t>(k);
    weight[i] = random(rng, -1, 1) * shape.unevenness / (1 + 0.5 * k);
    phase[i] = random(rng, 0, kTurn);
  }
  const double turn = random(rng, 0, kTurn);
  return [=](cairo_t* cairo) {
    constexpr int kPoints = 48;
    for (int i = 0; i < kPoints; ++i) {
      const double angle = kTurn * i / kPoints;
      double r = shape.radius;
      for (int k = 0; k < kHarmonics; ++k) {
        const auto j = static_cast<std::size_t>(k);
        r += shape.radius * weight[j] * std::cos((k + 2) * angle + phase[j]);
      }
      r = std::max(r, shape.radius * 0.15);
      const double along = r * std::cos(angle) * shape.stretch;
      const double across = r * std::sin(angle);
      cairo_line_to(cairo, shape.at.x + along * std::cos(turn) - across * std::sin(turn),
                    shape.at.y + along * std::sin(turn) + across * std::cos(turn));
    }
    cairo_close_path(cairo);
  };
}

}  // namespace engraft::plates
