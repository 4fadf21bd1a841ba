#include "engraft/sample/dirt.h"

#include <algorithm>
#include <cmath>

#include "engraft/sample/dirt_brush.h"

namespace engraft::plates {
namespace {

constexpr std::uint32_t kSauces[] = {0x9E2B16, 0xB5431C, 0x7A431C, 0x5A2F14, 0xC98A1E, 0xD8B24A,
                                     0x6B7326, 0xDDBF86, 0x4A2412, 0x8A1F3A, 0xA8642A, 0xC08A4A};
constexpr std::uint32_t kCrumbs[] = {0x9A6A36, 0xC08A4C, 0x6E4522, 0xD9B078, 0x4D3018};
constexpr std::uint32_t kLeaves[] = {0x5E7434, 0x75894A, 0x42582E, 0x8A9A62};

/// How much of everything: drawn once a plate.
struct Mess {
  double amount = 1;   ///< 0.2: a careful eater, 1.4: none
  double reach = 0.6;  ///< how far from the middle
  std::uint32_t sauce = 0;
};

/// A sauce wiped along an arc: many broad, faint bristles that leave off one after the other.
void smear(const Brush& brush, Rng& rng, const Mess& mess) {
  const Spot start = random_spot(rng, mess.reach * 0.8);
  const double heading = random(rng, 0, kTurn);
  const double length = random(rng, 0.3, 0.9) * (0.6 + 0.5 * mess.amount);
  const double bend = random(rng, -0.45, 0.45) * length;
  const double width = random(rng, 0.05, 0.15);
  const int bristles = 16 + static_cast<int>(rng.below(16));
  for (int i = 0; i < bristles; ++i) {
    const double side = (random(rng, -0.5, 0.5) + random(rng, -0.5, 0.5)) * width;
    const double draw = random(rng, 0, 1);
    const double from = random(rng, 0, 0.12) * length;
    const double to = (0.25 + 0.75 * draw * draw) * length;
    const Material material{.colour = vary(rng, mess.sauce, 8),
                            .alpha = random(rng, 0.16, 0.42),
                            .wet = random(rng, 0.3, 0.7),
                            .height = random(rng, 0.01, 0.06)};
    brush.stroke(
        [&](cairo_t* cairo) {
          cairo_save(cairo);
          cairo_translate(cairo, start.x, start.y);
          cairo_rotate(cairo, heading);
          cairo_move_to(cairo, from, side);
          cairo_curve_to(cairo, from + (to - from) / 3, side, from + (to - from) * 2 / 3,
                         side * 1.1 + bend / 3, to, side * 1.25 + bend);
          cairo_restore(cairo);
        },
        material, width * random(rng, 0.15, 0.6));
  }
}

/// A pool, darker at its edge where it has begun to dry.
void puddle(const Brush& brush, Rng& rng, const Mess& mess) {
  const Brush::Path shape =
      blob(rng, {.at = random_spot(rng, mess.reach * 0.7),
                 .radius = random(rng, 0.06, 0.22) * (0.5 + 0.6 * mess.amount),
                 .unevenness = random(rng, 0.1, 0.3),
                 .stretch = random(rng, 1, 1.7)});
  brush.fill(shape, {.colour = mess.sauce,
                     .alpha = random(rng, 0.55, 0.92),
                     .wet = 1,
                     .height = random(rng, 0.15, 0.35)});
  brush.stroke(shape, {.colour = vary(rng, mess.sauce, 10), .alpha = 0.4, .wet = 0.6}, 0.012);
}

void splashes(const Brush& brush, Rng& rng, const Mess& mess) {
  const int count = 4 + static_cast<int>(random(rng, 4, 26) * mess.amount);
  const Spot middle = random_spot(rng, 0.4);
  for (int i = 0; i < count; ++i) {
    const Spot offset = random_spot(rng, 0.75);
    const double draw = random(rng, 0, 1);
    brush.dome({middle.x + offset.x, middle.y + offset.y}, 0.006 + 0.026 * draw * draw * draw,
               {.colour = vary(rng, mess.sauce, 10), .alpha = 0.85, .wet = 1, .height = 0.2});
  }
}

/// A thin film over most of the well, with the tracks of a fork or of bread.
void film(const Brush& brush, Rng& rng, const Mess& mess) {
  const Spot at = random_spot(rng, 0.2);
  const double radius = random(rng, 0.3, 0.55) * (0.6 + 0.4 * mess.amount);
  for (int i = 0; i < 3; ++i) {
    brush.fill(blob(rng, {.at = at,
                          .radius = radius * random(rng, 0.7, 1),
                          .unevenness = random(rng, 0.12, 0.3),
                          .stretch = random(rng, 1, 1.3)}),
               {.colour = vary(rng, mess.sauce, 8),
                .alpha = random(rng, 0.2, 0.5),
                .wet = 0.7,
                .height = 0.05});
  }
  const int tracks = static_cast<int>(rng.below(6));
  for (int i = 0; i < tracks; ++i) {
    const Spot from = random_spot(rng, radius);
    const double angle = random(rng, 0, kTurn);
    const double length = radius * random(rng, 0.6, 1.5);
    const Spot to{from.x + length * std::cos(angle), from.y + length * std::sin(angle)};
    for (int tine = 0; tine < 4; ++tine) {
      const double shift = 0.035 * (tine - 1.5);
      const double dx = -shift * std::sin(angle);
      const double dy = shift * std::cos(angle);
      brush.scrape(
          [&](cairo_t* cairo) {
            cairo_move_to(cairo, from.x + dx, from.y + dy);
            cairo_curve_to(cairo, from.x + dx, from.y + dy, (from.x + to.x) / 2 + dx + 0.06,
                           (from.y + to.y) / 2 + dy, to.x + dx, to.y + dy);
          },
          random(rng, 0.4, 0.9), 0.018);
    }
  }
}

void crumbs(const Brush& brush, Rng& rng, const Mess& mess) {
  const int count = 8 + static_cast<int>(random(rng, 10, 70) * mess.amount);
  const Spot middle = random_spot(rng, 0.45);
  const double spread = random(rng, 0.25, 0.7);
  const std::uint32_t colour = pick(rng, kCrumbs);
  for (int i = 0; i < count; ++i) {
    const Spot offset = random_spot(rng, spread);
    const double draw = random(rng, 0, 1);
    brush.fill(blob(rng, {.at = {middle.x + offset.x, middle.y + offset.y},
                          .radius = 0.006 + 0.02 * draw * draw,
                          .unevenness = 0.4,
                          .stretch = random(rng, 1, 1.6)}),
               {.colour = vary(rng, colour, 30), .alpha = 0.95, .height = random(rng, 0.25, 0.6)});
  }
}

void peas(const Brush& brush, Rng& rng, const Mess& mess) {
  const int count = 3 + static_cast<int>(random(rng, 2, 22) * mess.amount);
  const Spot middle = random_spot(rng, 0.4);
  const bool corn = chance(rng, 0.3f);
  for (int i = 0; i < count; ++i) {
    const Spot offset = random_spot(rng, 0.32);
    brush.dome({middle.x + offset.x, middle.y + offset.y}, random(rng, 0.024, 0.034),
               {.colour = vary(rng, corn ? 0xE0B23A : 0x7C9A3C, 14), .wet = 0.5, .height = 0.9});
  }
}

void rice(const Brush& brush, Rng& rng, const Mess& mess) {
  const int count = 10 + static_cast<int>(random(rng, 10, 80) * mess.amount);
  const Spot middle = random_spot(rng, 0.4);
  const double spread = random(rng, 0.15, 0.4);
  const std::uint32_t colour = chance(rng, 0.5f) ? 0xEDE6D3 : 0xDDBF7A;
  for (int i = 0; i < count; ++i) {
    const Spot offset = random_spot(rng, spread);
    const Spot at{middle.x + offset.x, middle.y + offset.y};
    const double angle = random(rng, 0, kTurn);
    const double half = 0.02;
    brush.stroke(
        [&](cairo_t* cairo) {
          cairo_move_to(cairo, at.x - half * std::cos(angle), at.y - half * std::sin(angle));
          cairo_line_to(cairo, at.x + half * std::cos(angle), at.y + half * std::sin(angle));
        },
        {.colour = vary(rng, colour, 10), .wet = 0.3, .height = 0.26}, 0.017);
  }
}

void pasta(const Brush& brush, Rng& rng, const Mess& mess) {
  const int count = 2 + static_cast<int>(random(rng, 1, 12) * mess.amount);
  const Spot middle = random_spot(rng, 0.3);
  for (int i = 0; i < count; ++i) {
    Spot points[4];
    for (Spot& point : points) {
      const Spot offset = random_spot(rng, 0.42);
      point = {middle.x + offset.x, middle.y + offset.y};
    }
    brush.stroke(
        [&](cairo_t* cairo) {
          cairo_move_to(cairo, points[0].x, points[0].y);
          cairo_curve_to(cairo, points[1].x, points[1].y, points[2].x, points[2].y, points[3].x,
                         points[3].y);
        },
        {.colour = vary(rng, 0xE3C27A, 12), .wet = 0.7, .height = 0.7}, random(rng, 0.02, 0.028));
  }
}

void leaves(const Brush& brush, Rng& rng, const Mess& mess) {
  const int count = 1 + static_cast<int>(random(rng, 0, 5) * mess.amount);
  for (int i = 0; i < count; ++i) {
    const Spot at = random_spot(rng, mess.reach);
    const double radius = random(rng, 0.04, 0.13);
    const std::uint32_t colour = vary(rng, pick(rng, kLeaves), 14);
    for (int fold = 0; fold < 4; ++fold) {  // crumpled: a few lobes over one another
      const Spot offset = random_spot(rng, radius * 0.6);
      brush.fill(blob(rng, {.at = {at.x + offset.x, at.y + offset.y},
                            .radius = radius * random(rng, 0.4, 0.9),
                            .unevenness = 0.45,
                            .stretch = random(rng, 1, 1.8)}),
                 {.colour = vary(rng, colour, 20), .alpha = 0.95, .wet = 0.3, .height = 0.22});
    }
  }
}

/// A crust, a rind or a bone: something large that nobody ate.
void crust(const Brush& brush, Rng& rng, const Mess& mess) {
  constexpr std::uint32_t kInside[] = {0xE2C08A, 0xEAD9B0, 0xC98F62, 0xD9CBB0};
  const BlobShape shape{.at = random_spot(rng, mess.reach * 0.8),
                        .radius = random(rng, 0.06, 0.13),
                        .unevenness = 0.22,
                        .stretch = random(rng, 1.2, 2.6)};
  const Brush::Path outside = blob(rng, shape);
  brush.fill(outside, {.colour = vary(rng, 0x8A5526, 14), .height = 0.55});
  BlobShape smaller = shape;
  smaller.radius *= 0.72;
  smaller.stretch *= 0.95;
  brush.fill(outside, {.colour = vary(rng, 0x9A6230, 14), .alpha = 0.5, .height = 0.2});
  brush.fill(blob(rng, smaller),
             {.colour = vary(rng, pick(rng, kInside), 10), .alpha = 0.9, .height = 0.3});
}

void grease(const Brush& brush, Rng& rng, const Mess& mess) {
  const int count = 2 + static_cast<int>(rng.below(4));
  for (int i = 0; i < count; ++i) {
    brush.fill(blob(rng, {.at = random_spot(rng, mess.reach),
                          .radius = random(rng, 0.08, 0.3),
                          .unevenness = 0.3,
                          .stretch = random(rng, 1, 1.8)}),
               {.colour = 0xC9A24A, .alpha = random(rng, 0.06, 0.2), .wet = 0.9, .height = 0.04});
  }
}

}  // namespace

void draw_dirt(Leavings& leavings, Rng& rng, const Scene& scene) {
  using Draw = void (*)(const Brush&, Rng&, const Mess&);
  constexpr Draw kWet[] = {smear, puddle, splashes, film, smear, film};
  constexpr Draw kLoose[] = {crumbs, peas, rice, pasta, leaves, crust, crumbs};
  const cairo_matrix_t matrix = plate_matrix(scene);
  for (Layer* layer : {&leavings.colour, &leavings.wet, &leavings.height}) {
    cairo_set_matrix(layer->cairo(), &matrix);
  }
  const Brush brush(leavings);
  Mess mess{.amount = random(rng, 0.35, 1.5),
            .reach = chance(rng, 0.3f) ? 0.9 : double{scene.plate.well} - 0.05,
            .sauce = vary(rng, pick(rng, kSauces), 14)};
  if (chance(rng, 0.35f)) grease(brush, rng, mess);
  const int wet = static_cast<int>(rng.below(3)) + (mess.amount > 0.8 ? 1 : 0);
  for (int i = 0; i < wet; ++i) {
    pick(rng, kWet)(brush, rng, mess);
    if (chance(rng, 0.25f)) mess.sauce = vary(rng, pick(rng, kSauces), 14);
  }
  const int loose = wet == 0 ? 1 + static_cast<int>(rng.below(2)) : static_cast<int>(rng.below(3));
  for (int i = 0; i < loose; ++i) pick(rng, kLoose)(brush, rng, mess);
}

}  // namespace engraft::plates
