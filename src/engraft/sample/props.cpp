#include "engraft/sample/props.h"

#include <cmath>
#include <numbers>

#include "engraft/sample/dirt_brush.h"

namespace engraft::plates {
namespace {

constexpr double kPi = std::numbers::pi;
/// Length of a fork over the plate's radius.
constexpr double kCutleryLength = 1.5;

/// Where a thing lies: in plate radii from the plate's middle, flat on the table.
struct Pose {
  double x = 0, y = 0;
  double angle = 0;
  double size = 1;
  double lift = 0;  ///< of its shadow, in plate radii
};

/// Paints with both layers' contexts moved to the pose: first the shadow, then the thing.
template <typename Draw>
void place(Layer& colour, Layer& shadow, const Scene& scene, const Pose& pose, const Draw& draw) {
  const double radius = double{scene.plate.radius};
  for (Layer* layer : {&shadow, &colour}) {
    cairo_t* cairo = layer->cairo();
    cairo_save(cairo);
    if (layer == &shadow) {
      cairo_translate(cairo, -double{scene.light.x / scene.light.z} * pose.lift * radius,
                      -double{scene.light.y / scene.light.z} * pose.lift * radius);
    }
    cairo_translate(cairo, double{scene.plate.centre_x}, double{scene.plate.centre_y});
    cairo_scale(cairo, radius, radius * double{scene.camera.squash});
    cairo_translate(cairo, pose.x, pose.y);
    cairo_rotate(cairo, pose.angle);
    cairo_scale(cairo, pose.size, pose.size);
    draw(cairo);
    cairo_restore(cairo);
  }
}

/// Polished steel across x in [-half, half]: it mirrors a dark room and a bright window.
void set_steel(cairo_t* cairo, double half, double shift) {
  cairo_pattern_t* steel = cairo_pattern_create_linear(-half, 0, half, 0);
  const double stops[][2] = {
      {0, 0.38},  {0.18, 0.62}, {0.32 + shift, 0.93}, {0.42 + shift, 0.97}, {0.55 + shift, 0.6},
      {0.8, 0.5}, {1, 0.28}};
  for (const auto& [at, grey] : stops) {
    cairo_pattern_add_color_stop_rgb(steel, at, grey, grey * 0.995, grey * 0.985);
  }
  cairo_set_source(cairo, steel);
  cairo_pattern_destroy(steel);
}

// Cutlery lies along y in [0, 1], the handle's end at 1.

void handle(cairo_t* cairo, double neck) {
  cairo_move_to(cairo, -0.012, neck);
  cairo_curve_to(cairo, -0.012, 0.6, -0.034, 0.75, -0.036, 0.95);
  cairo_curve_to(cairo, -0.034, 1.0, 0.034, 1.0, 0.036, 0.95);
  cairo_curve_to(cairo, 0.034, 0.75, 0.012, 0.6, 0.012, neck);
  cairo_close_path(cairo);
}

void fork(cairo_t* cairo, double shift) {
  handle(cairo, 0.3);
  cairo_move_to(cairo, -0.012, 0.34);
  cairo_curve_to(cairo, -0.02, 0.28, -0.058, 0.27, -0.058, 0.18);
  cairo_line_to(cairo, 0.058, 0.18);
  cairo_curve_to(cairo, 0.058, 0.27, 0.02, 0.28, 0.012, 0.34);
  cairo_close_path(cairo);
  for (int tine = 0; tine < 4; ++tine) {
    const double x = -0.058 + 0.0335 * tine;
    cairo_move_to(cairo, x, 0.19);
    cairo_line_to(cairo, x + 0.003, 0.01);
    cairo_line_to(cairo, x + 0.012, 0.01);
    cairo_line_to(cairo, x + 0.0155, 0.19);
    cairo_close_path(cairo);
  }
  set_steel(cairo, 0.06, shift);
  cairo_fill(cairo);
}

void knife(cairo_t* cairo, double shift) {
  handle(cairo, 0.5);
  cairo_move_to(cairo, -0.018, 0.55);
  cairo_line_to(cairo, -0.022, 0.1);
  cairo_curve_to(cairo, -0.02, 0.02, 0.03, 0.0, 0.036, 0.12);
  cairo_curve_to(cairo, 0.042, 0.3, 0.036, 0.45, 0.018, 0.55);
  cairo_close_path(cairo);
  set_steel(cairo, 0.04, shift);
  cairo_fill(cairo);
}

void spoon(cairo_t* cairo, double shift) {
  handle(cairo, 0.22);
  set_steel(cairo, 0.036, shift);
  cairo_fill(cairo);
  cairo_save(cairo);
  cairo_scale(cairo, 1, 1.55);
  cairo_arc(cairo, 0, 0.088, 0.082, 0, 2 * kPi);
  cairo_restore(cairo);
  set_steel(cairo, 0.082, -0.1 + shift);
  cairo_fill(cairo);
}

using Piece = void (*)(cairo_t*, double shift);
constexpr Piece kPieces[] = {fork, knife, spoon};

void table_cutlery(Props& props, Rng& rng, const Scene& scene) {
  const bool left_handed = chance(rng, 0.2f);
  const double slant = random(rng, -0.2, 0.2);
  for (const int side : {-1, 1}) {
    if (!chance(rng, 0.75f)) continue;
    const bool is_fork = (side < 0) != left_handed;
    const Piece piece = is_fork ? fork : chance(rng, 0.7f) ? knife : spoon;
    const Pose pose{.x = side * random(rng, 1.14, 1.4),
                    .y = random(rng, -0.95, -0.6),
                    .angle = slant + random(rng, -0.12, 0.12),
                    .size = kCutleryLength,
                    .lift = 0.02};
    const double shift = random(rng, -0.1, 0.1);
    place(props.on_table, props.table_shadow, scene, pose,
          [&](cairo_t* cairo) { piece(cairo, shift); });
  }
}

/// Laid over the rim, heads together in the well.
void plate_cutlery(Props& props, Rng& rng, const Scene& scene) {
  const double direction = random(rng, 0, 2 * kPi);
  const int count = 1 + static_cast<int>(rng.below(2));
  for (int i = 0; i < count; ++i) {
    const double angle = direction + (i == 0 ? -0.09 : 0.11) + random(rng, -0.05, 0.05);
    const double start = random(rng, -0.15, 0.1);
    const double aside = i == 0 ? -0.07 : 0.07;
    // A piece lies along its own y axis, which points to `angle`.
    const Pose pose{.x = start * std::cos(angle) - aside * std::sin(angle),
                    .y = start * std::sin(angle) + aside * std::cos(angle),
                    .angle = angle - kPi / 2,
                    .size = kCutleryLength,
                    .lift = 0.06};
    const Piece piece = pick(rng, kPieces);
    const double shift = random(rng, -0.1, 0.1);
    place(props.on_plate, props.plate_shadow, scene, pose,
          [&](cairo_t* cairo) { piece(cairo, shift); });
  }
}

constexpr std::uint32_t kCloths[] = {0xF0EDE6, 0xC9D4D8, 0xB8473F, 0x4F6D8A,
                                     0xD9C8A5, 0x6E8268, 0x3F4348};

void napkin(Props& props, Rng& rng, const Scene& scene) {
  const double side = chance(rng, 0.5f) ? -1 : 1;
  const Pose pose{.x = side * random(rng, 0.9, 1.5),
                  .y = random(rng, -0.6, 0.6),
                  .angle = random(rng, -0.6, 0.6),
                  .size = 1,
                  .lift = 0.025};
  const double width = random(rng, 0.4, 0.8);
  const double height = random(rng, 0.7, 1.2);
  const std::uint32_t cloth = vary(rng, pick(rng, kCloths), 8);
  const std::uint32_t stripe = vary(rng, pick(rng, kCloths), 8);
  const int stripes = static_cast<int>(rng.below(4));
  place(props.on_table, props.table_shadow, scene, pose, [&](cairo_t* cairo) {
    cairo_rectangle(cairo, -width / 2, -height / 2, width, height);
    set_source(cairo, cloth);
    cairo_fill(cairo);
    for (int i = 0; i < stripes; ++i) {
      cairo_rectangle(cairo, -width / 2, -height / 2 + 0.05 + 0.07 * i, width, 0.025);
      set_source(cairo, stripe, 0.7);
      cairo_fill(cairo);
    }
    // Folded once: the upper half throws a faint edge.
    cairo_rectangle(cairo, -width / 2, -0.004, width, 0.012);
    set_source(cairo, 0x000000, 0.25);
    cairo_fill(cairo);
  });
}

void disc(cairo_t* cairo, double radius, std::uint32_t colour, double alpha = 1) {
  cairo_arc(cairo, 0, 0, radius, 0, 2 * kPi);
  set_source(cairo, colour, alpha);
  cairo_fill(cairo);
}

/// A cup of coffee or a bowl of something, mostly outside the picture.
void cup(Props& props, Rng& rng, const Scene& scene) {
  constexpr std::uint32_t kDrinks[] = {0x2A1710, 0x7A4E2C, 0xB9773A, 0x8FA3A8, 0xD9D2C2};
  const double corner = kPi / 4 + kPi / 2 * rng.below(4) + random(rng, -0.35, 0.35);
  const double away = random(rng, 1.55, 1.85);
  const Pose pose{.x = away * std::cos(corner) * 1.15,
                  .y = away * std::sin(corner),
                  .angle = random(rng, 0, 2 * kPi),
                  .size = random(rng, 0.32, 0.48),
                  .lift = 0.3};
  const std::uint32_t china = vary(rng, chance(rng, 0.7f) ? 0xF0EEE9 : 0x5E7585, 10);
  const std::uint32_t drink = vary(rng, pick(rng, kDrinks), 10);
  const bool saucer = chance(rng, 0.5f);
  place(props.on_table, props.table_shadow, scene, pose, [&](cairo_t* cairo) {
    if (saucer) {
      disc(cairo, 1.55, china);
      disc(cairo, 1.0, 0x000000, 0.12);
    }
    cairo_rectangle(cairo, 0.8, -0.14, 0.7, 0.28);  // the handle
    set_source(cairo, china);
    cairo_fill(cairo);
    disc(cairo, 1, china);
    disc(cairo, 0.91, 0x000000, 0.25);
    disc(cairo, 0.86, drink);
    cairo_arc(cairo, -0.25, -0.3, 0.2, 0, 2 * kPi);
    set_source(cairo, 0xFFFFFF, 0.18);
    cairo_fill(cairo);
  });
}

}  // namespace

void draw_props(Props& props, Rng& rng, const Scene& scene) {
  if (chance(rng, 0.3f)) napkin(props, rng, scene);
  if (chance(rng, 0.3f)) cup(props, rng, scene);
  if (chance(rng, 0.45f)) table_cutlery(props, rng, scene);
  if (chance(rng, 0.22f)) plate_cutlery(props, rng, scene);
}

}  // namespace engraft::plates
