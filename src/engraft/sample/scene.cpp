#include "engraft/sample/scene.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engraft/sample/noise.h"

namespace engraft::plates {
namespace {

constexpr float kHalfTurn = std::numbers::pi_v<float>;

struct TableColours {
  std::uint32_t main, second;
};
constexpr TableColours kWoods[] = {{0xB98A5A, 0x7A5230}, {0x8A5A36, 0x4A2C18},
                                   {0xD8B98A, 0xA98353}, {0x5B4030, 0x2E1F17},
                                   {0x9C8F80, 0x6A6056}, {0xC77F45, 0x8B4F26}};
constexpr TableColours kLinens[] = {{0xE9E4D8, 0xB8A88C}, {0xD9DEE3, 0x5B7FA6},
                                    {0x8FA39A, 0xE8E6DF}, {0xC9B79C, 0x8C3B32},
                                    {0x44546A, 0xC8CDD5}, {0xEFEDE9, 0xB5443C}};
constexpr TableColours kMarbles[] = {{0xE8E6E3, 0x8C8D91},
                                     {0xD6D0C6, 0x9B7F5E},
                                     {0x3A3D40, 0xB9BCC0},
                                     {0x4F6B5D, 0xC5D6CB},
                                     {0xEFEAE4, 0xB08E6B}};
constexpr TableColours kTileColours[] = {{0xD9D4CB, 0xA39C90},
                                         {0x6F8FA6, 0xD5DADD},
                                         {0xB5664A, 0xD8C8B4},
                                         {0xE9E8E4, 0x77787A},
                                         {0x50685E, 0xC9C6BC}};
constexpr TableColours kSlates[] = {
    {0x43474B, 0x2A2D30}, {0x57544F, 0x35322E}, {0x3B434C, 0x22272D}};
constexpr TableColours kPaints[] = {{0xC9D3D6, 0x93A5AB}, {0xE2C9B5, 0xB38E72},
                                    {0x7D9A8C, 0x53695E}, {0xF0E7D2, 0xCDB98C},
                                    {0x35506B, 0x20364B}, {0xA8505A, 0x7A353E}};

Table make_table(Rng& rng) {
  Table table;
  table.kind = static_cast<TableKind>(rng.below(kTableKinds));
  TableColours colours{};
  float gloss = 0;
  switch (table.kind) {
    case TableKind::kWood:
      colours = pick(rng, kWoods);
      gloss = 0.05f;
      break;
    case TableKind::kLinen:
      colours = pick(rng, kLinens);
      break;
    case TableKind::kMarble:
      colours = pick(rng, kMarbles);
      gloss = 0.16f;
      break;
    case TableKind::kTiles:
      colours = pick(rng, kTileColours);
      gloss = 0.12f;
      break;
    case TableKind::kSlate:
      colours = pick(rng, kSlates);
      gloss = 0.02f;
      break;
    case TableKind::kPainted:
      colours = pick(rng, kPaints);
      gloss = 0.06f;
      break;
  }
  const float tint = rng.uniform(0.8f, 1.12f);
  table.main = from_hex(colours.main) * tint;
  table.second = from_hex(colours.second) * tint;
  table.gloss = gloss * rng.uniform(0.0f, 1.4f);
  const float angle = rng.uniform(-0.5f, 0.5f) + (chance(rng, 0.4f) ? kHalfTurn / 2 : 0);
  table.cosine = std::cos(angle);
  table.sine = std::sin(angle);
  table.scale = rng.uniform(0.75f, 1.4f);
  table.striped = chance(rng, 0.45f);
  return table;
}

constexpr std::uint32_t kGlazes[] = {0xF4F2EE, 0xF1EFEA, 0xF6F5F3, 0xEFEBE0, 0xE6E2D8, 0xF3F0E9,
                                     0xDDE3E6, 0xC4D3DB, 0xBFCDBE, 0xE5CFC4, 0x7E95A3, 0x5F7A78,
                                     0xB97757, 0x4A4D52, 0x2F3E55, 0xD9C9A3, 0xF5F4F0, 0xEDEBE7};
constexpr std::uint32_t kPaintColours[] = {0x27477F, 0x8E2F2A, 0x3E6B4A, 0xB08A3E, 0x5A4638,
                                           0x6E7F8C, 0xC06A3B, 0x7A4B78, 0x2B2B2E};

PlateShape make_shape(Rng& rng) {
  const float draw = rng.uniform();
  if (draw < 0.62f) return PlateShape::kRound;
  if (draw < 0.76f) return PlateShape::kScalloped;
  if (draw < 0.90f) return PlateShape::kSquare;
  return PlateShape::kOval;
}

PlateStyle make_plate(Rng& rng, Size size) {
  const auto height = static_cast<float>(size.height);
  PlateStyle plate;
  plate.shape = make_shape(rng);
  plate.scallops = 10 + static_cast<int>(rng.below(9));
  plate.radius = height * rng.uniform(0.36f, 0.60f);
  plate.centre_x = static_cast<float>(size.width) * 0.5f + height * rng.uniform(-0.22f, 0.22f);
  plate.centre_y = height * (0.5f + rng.uniform(-0.13f, 0.13f));
  plate.rotation = rng.uniform(-kHalfTurn, kHalfTurn);
  if (plate.shape == PlateShape::kSquare) plate.radius *= 0.92f;
  if (chance(rng, 0.3f)) {  // no rim: one gentle bowl
    plate.well = rng.uniform(0.82f, 0.9f);
    plate.wall = rng.uniform(0.5f, 0.9f);
    plate.rim_slope = rng.uniform(0.5f, 0.8f);
  } else {
    plate.well = rng.uniform(0.6f, 0.74f);
    plate.wall = rng.uniform(0.35f, 0.8f);
    plate.rim_slope = rng.uniform(0.06f, 0.24f);
  }
  plate.glaze = from_hex(pick(rng, kGlazes));
  plate.gloss = chance(rng, 0.25f) ? rng.uniform(0.01f, 0.05f) : rng.uniform(0.1f, 0.5f);
  if (chance(rng, 0.6f)) plate.decoration = static_cast<Decoration>(1 + rng.below(6));
  plate.paint = pick(rng, kPaintColours);
  return plate;
}

Light make_light(Rng& rng) {
  Light light;
  // Windows are seldom behind the photographer: mostly from the sides and from beyond the table.
  const float azimuth = rng.uniform(-0.35f * kHalfTurn, 1.35f * kHalfTurn) + kHalfTurn;
  const float elevation = rng.uniform(0.55f, 1.15f);
  light.x = std::cos(azimuth) * std::cos(elevation);
  light.y = std::sin(azimuth) * std::cos(elevation);
  light.z = std::sin(elevation);
  light.ambient = rng.uniform(0.35f, 0.7f);
  light.falloff = rng.uniform(0.05f, 0.55f);
  light.shadow = rng.uniform(0.45f, 0.85f);
  light.softness = rng.uniform(0.012f, 0.05f);
  const float warmth = rng.uniform(-0.13f, 0.2f);
  light.colour = {1 + warmth, 1 + 0.1f * warmth, 1 - warmth};
  if (chance(rng, 0.35f)) light.dapple = rng.uniform(0.2f, 0.6f);
  light.window_x = light.x * 0.6f + rng.uniform(-0.25f, 0.25f);
  light.window_y = light.y * 0.6f + rng.uniform(-0.25f, 0.25f);
  light.window_size = rng.uniform(0.07f, 0.24f);
  light.window_bars = chance(rng, 0.5f);
  return light;
}

Camera make_camera(Rng& rng) {
  return {.squash = chance(rng, 0.3f) ? rng.uniform(0.95f, 1.0f) : rng.uniform(0.62f, 0.95f),
          .perspective = rng.uniform(0.1f, 0.4f),
          .exposure = rng.uniform(0.7f, 1.2f),
          .contrast = rng.uniform(0.9f, 1.15f),
          .vignette = rng.uniform(0.05f, 0.5f),
          .blur = rng.uniform(0.15f, 1.0f),
          .grain = rng.uniform(0.004f, 0.022f)};
}

float edge_at(const PlateStyle& plate, float angle) {
  switch (plate.shape) {
    case PlateShape::kRound:
      return 1;
    case PlateShape::kScalloped: {  // arcs outward, notches inward
      const float wave = std::abs(std::sin(angle * static_cast<float>(plate.scallops) / 2));
      return 1 + 0.05f * (wave - 0.6f);
    }
    case PlateShape::kSquare: {  // a superellipse |x|^p + |y|^p = 1: a square with round corners
      constexpr float kPower = 5.2f;
      const float c = std::pow(std::abs(std::cos(angle)), kPower);
      const float s = std::pow(std::abs(std::sin(angle)), kPower);
      return std::pow(c + s, -1 / kPower);
    }
    case PlateShape::kOval: {
      const float c = std::cos(angle) / 1.18f;
      const float s = std::sin(angle) / 0.86f;
      return 1 / std::sqrt(c * c + s * s);
    }
  }
  return 1;
}

}  // namespace

Scene make_scene(Rng& rng, Size size) {
  Scene scene;
  scene.size = size;
  scene.table = make_table(rng);
  scene.plate = make_plate(rng, size);
  scene.light = make_light(rng);
  scene.camera = make_camera(rng);
  return scene;
}

cairo_matrix_t plate_matrix(const Scene& scene) {
  cairo_matrix_t matrix;
  cairo_matrix_init_translate(&matrix, double{scene.plate.centre_x}, double{scene.plate.centre_y});
  cairo_matrix_scale(&matrix, double{scene.plate.radius},
                     double{scene.plate.radius * scene.camera.squash});
  cairo_matrix_rotate(&matrix, double{scene.plate.rotation});
  return matrix;
}

Outline::Outline(const PlateStyle& plate) : circle_(plate.shape == PlateShape::kRound) {
  for (int i = 0; i <= kSteps; ++i) {
    edge_[static_cast<std::size_t>(i)] =
        edge_at(plate, 2 * kHalfTurn * static_cast<float>(i) / kSteps - kHalfTurn);
  }
}

float Outline::edge(float angle) const {
  const float place = (angle + kHalfTurn) / (2 * kHalfTurn);
  const float step = (place - std::floor(place)) * kSteps;
  const auto i = static_cast<std::size_t>(std::min(step, kSteps - 1.0f));
  return mix(edge_[i], edge_[i + 1], step - static_cast<float>(i));
}

float Outline::radius_of(float x, float y) const {
  const float distance = std::sqrt(x * x + y * y);
  if (circle_ || distance > 1.4f) return distance;
  const float outer = edge(std::atan2(y, x));
  const float guess = std::min(distance / outer, 1.2f);
  return distance / (1 + (outer - 1) * guess * guess);
}

void Outline::path(cairo_t* cairo, float radius) const {
  constexpr int kPoints = 240;
  cairo_new_sub_path(cairo);
  for (int i = 0; i < kPoints; ++i) {
    const float angle = 2 * kHalfTurn * static_cast<float>(i) / kPoints;
    const float r = radius * at(angle, radius);
    cairo_line_to(cairo, double{r * std::cos(angle)}, double{r * std::sin(angle)});
  }
  cairo_close_path(cairo);
}

}  // namespace engraft::plates
