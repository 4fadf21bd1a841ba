#include "engraft/sample/decoration.h"

#include <cmath>

#include "engraft/sample/dirt_brush.h"

namespace engraft::plates {
namespace {

/// A ring between two radii.
void ring(cairo_t* cairo, const Outline& outline, float inner, float outer) {
  cairo_new_path(cairo);
  outline.path(cairo, outer);
  outline.path(cairo, inner);
  cairo_set_fill_rule(cairo, CAIRO_FILL_RULE_EVEN_ODD);
  cairo_fill(cairo);
  cairo_set_fill_rule(cairo, CAIRO_FILL_RULE_WINDING);
}

void bands(cairo_t* cairo, Rng& rng, const PlateStyle& plate, const Outline& outline) {
  const int count = 1 + static_cast<int>(rng.below(3));
  float outer = chance(rng, 0.5f) ? 1.0f : rng.uniform(0.9f, 0.98f);
  for (int i = 0; i < count && outer > 0.6f; ++i) {
    const float width = chance(rng, 0.3f) ? rng.uniform(0.06f, 0.16f) : rng.uniform(0.008f, 0.03f);
    set_source(cairo, plate.paint, random(rng, 0.6, 0.95));
    ring(cairo, outline, outer - width, outer);
    outer -= width + rng.uniform(0.015f, 0.08f);
  }
}

void petal(cairo_t* cairo, double angle, double length, double width) {
  cairo_save(cairo);
  cairo_rotate(cairo, angle);
  cairo_move_to(cairo, 0, 0);
  cairo_curve_to(cairo, length * 0.4, -width, length, -width * 0.7, length, 0);
  cairo_curve_to(cairo, length, width * 0.7, length * 0.4, width, 0, 0);
  cairo_restore(cairo);
}

struct Flower {
  double x, y, size, angle;
  int petals;
};

void flower(cairo_t* cairo, const Flower& flower, std::uint32_t colour) {
  cairo_save(cairo);
  cairo_translate(cairo, flower.x, flower.y);
  for (int i = 0; i < flower.petals; ++i) {
    petal(cairo, flower.angle + kTurn * i / flower.petals, flower.size, flower.size * 0.32);
  }
  set_source(cairo, colour, 0.75);
  cairo_fill(cairo);
  cairo_arc(cairo, 0, 0, flower.size * 0.22, 0, kTurn);
  set_source(cairo, 0xD9A63C, 0.9);
  cairo_fill(cairo);
  cairo_restore(cairo);
}

void flowers(cairo_t* cairo, Rng& rng, const PlateStyle& plate) {
  const int count = 5 + static_cast<int>(rng.below(9));
  const double at = random(rng, 0.82, 0.88);
  const double size = random(rng, 0.05, 0.1);
  const int petals = 5 + static_cast<int>(rng.below(3));
  for (int i = 0; i < count; ++i) {
    const double angle = kTurn * i / count;
    // The tendril to the next flower, with a leaf.
    cairo_new_path(cairo);
    cairo_arc(cairo, 0, 0, at, angle, angle + kTurn / count);
    set_source(cairo, 0x4E7350, 0.55);
    cairo_set_line_width(cairo, 0.009);
    cairo_stroke(cairo);
    const double middle = angle + kTurn / count / 2;
    flower(cairo, {at * std::cos(angle), at * std::sin(angle), size, angle, petals}, plate.paint);
    flower(cairo, {at * std::cos(middle), at * std::sin(middle), size * 0.55, middle + 1, 2},
           0x4E7350);
  }
  if (chance(rng, 0.35f)) flower(cairo, {0, 0, random(rng, 0.14, 0.26), 0, petals}, plate.paint);
}

void dots(cairo_t* cairo, Rng& rng, const PlateStyle& plate) {
  const int count = 18 + static_cast<int>(rng.below(30));
  const double at = random(rng, 0.82, 0.93);
  const double radius = random(rng, 0.012, 0.028);
  set_source(cairo, plate.paint, 0.85);
  for (int i = 0; i < count; ++i) {
    const double angle = kTurn * i / count;
    cairo_new_path(cairo);
    cairo_arc(cairo, at * std::cos(angle), at * std::sin(angle), radius, 0, kTurn);
    cairo_fill(cairo);
  }
}

void rays(cairo_t* cairo, Rng& rng, const PlateStyle& plate) {
  const int count = 24 + static_cast<int>(rng.below(40));
  const double inner = chance(rng, 0.4f) ? random(rng, 0.1, 0.4) : double{plate.well} + 0.04;
  set_source(cairo, plate.paint, random(rng, 0.25, 0.7));
  cairo_set_line_width(cairo, random(rng, 0.008, 0.02));
  for (int i = 0; i < count; ++i) {
    const double angle = kTurn * i / count;
    cairo_move_to(cairo, inner * std::cos(angle), inner * std::sin(angle));
    cairo_line_to(cairo, 0.97 * std::cos(angle), 0.97 * std::sin(angle));
  }
  cairo_stroke(cairo);
}

/// Iron spots of stoneware: much like crumbs, but in the glaze.
void speckles(cairo_t* cairo, Rng& rng) {
  const int count = 60 + static_cast<int>(rng.below(240));
  for (int i = 0; i < count; ++i) {
    const double angle = random(rng, 0, kTurn);
    const double at = std::sqrt(random(rng, 0, 1));
    const double draw = random(rng, 0, 1);
    cairo_new_path(cairo);
    cairo_arc(cairo, at * std::cos(angle), at * std::sin(angle), 0.003 + 0.011 * draw * draw * draw,
              0, kTurn);
    set_source(cairo, 0x4A3626, random(rng, 0.3, 0.8));
    cairo_fill(cairo);
  }
}

/// A reactive glaze: it runs thin over the edge, where the clay shows brown.
void reactive(cairo_t* cairo, Rng& rng, const PlateStyle& plate, const Outline& outline) {
  cairo_pattern_t* shade = cairo_pattern_create_radial(0, 0, 0, 0, 0, 1);
  const double red = (plate.paint >> 16 & 0xFF) / 255.0;
  const double green = (plate.paint >> 8 & 0xFF) / 255.0;
  const double blue = (plate.paint & 0xFF) / 255.0;
  cairo_pattern_add_color_stop_rgba(shade, 0, red, green, blue, random(rng, 0, 0.35));
  cairo_pattern_add_color_stop_rgba(shade, random(rng, 0.3, 0.7), red, green, blue, 0.06);
  cairo_pattern_add_color_stop_rgba(shade, 0.9, red, green, blue, random(rng, 0.1, 0.5));
  cairo_set_source(cairo, shade);
  cairo_pattern_destroy(shade);
  cairo_rectangle(cairo, -1.3, -1.3, 2.6, 2.6);
  cairo_fill(cairo);
  const float width = rng.uniform(0.01f, 0.03f);
  for (int i = 0; i < 6; ++i) {
    set_source(cairo, 0x61402A, 0.25);
    ring(cairo, outline, 1 - width * static_cast<float>(i), 1.05f);
  }
}

}  // namespace

void draw_decoration(cairo_t* cairo, Rng& rng, const PlateStyle& plate, const Outline& outline) {
  switch (plate.decoration) {
    case Decoration::kNone:
      break;
    case Decoration::kBands:
      bands(cairo, rng, plate, outline);
      break;
    case Decoration::kFlowers:
      flowers(cairo, rng, plate);
      break;
    case Decoration::kDots:
      dots(cairo, rng, plate);
      break;
    case Decoration::kRays:
      rays(cairo, rng, plate);
      break;
    case Decoration::kSpeckles:
      speckles(cairo, rng);
      break;
    case Decoration::kReactive:
      reactive(cairo, rng, plate, outline);
      break;
  }
}

}  // namespace engraft::plates
