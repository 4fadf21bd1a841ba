#include "engraft/sample/table.h"

#include <cmath>

namespace engraft::plates {
namespace {

struct At {
  float x, y;
};

Surface wood(const Table& table, const Noise& noise, At p) {
  float tone = 0;
  float seam = 0;
  if (table.striped) {  // boards along x
    const float board = p.y * 3.2f;
    const float index = std::floor(board);
    const float across = board - index;
    tone = noise.cell(static_cast<int>(index), 7) - 0.5f;
    p.x += 13.7f * noise.cell(static_cast<int>(index), 9);
    seam = 1 - smooth_step(0.0f, 0.025f, std::min(across, 1 - across));
  }
  const float warp = noise.at(p.x * 0.9f, p.y * 2.5f);
  const float rings = std::sin((p.y + 0.16f * warp) * 60 + 9 * noise.at(p.x * 0.6f + 3, p.y * 5));
  const float fibre = noise.fractal(p.x * 5, p.y * 110, 2);
  const float pores = smooth_step(0.72f, 0.95f, noise.at(p.x * 14 + 31, p.y * 190));
  const float dark = clamp01(0.32f + 0.15f * rings + 0.55f * (fibre - 0.5f) +
                             0.35f * (warp - 0.5f) + 0.4f * pores + 0.35f * tone);
  Surface surface;
  surface.colour = mix(table.main, table.second, dark) * (1 - 0.75f * seam);
  surface.tilt_y = 0.12f * (fibre - 0.5f);
  return surface;
}

Surface linen(const Table& table, const Noise& noise, At p) {
  constexpr float kThreads = 150;  // a picture height
  const float x = p.x * kThreads;
  const float y = p.y * kThreads;
  const float warp_thread = noise.at(std::floor(x) * 1.37f, p.y * 6);
  const float weft_thread = noise.at(p.x * 6 + 20, std::floor(y) * 1.37f);
  const float over = std::sin(x * 3.14159f) * std::sin(y * 3.14159f);
  Rgb colour = table.main;
  if (table.striped) {
    const float stripe = std::abs(std::fmod(std::abs(p.x) * 2.6f, 1.0f) - 0.5f);
    colour = mix(table.second, colour, 0.25f + 0.75f * smooth_step(0.07f, 0.09f, stripe));
    const float thin = std::abs(std::fmod(std::abs(p.y) * 2.6f, 1.0f) - 0.5f);
    colour = mix(table.second, colour, 0.5f + 0.5f * smooth_step(0.07f, 0.09f, thin));
  }
  Surface surface;
  surface.colour = colour * (0.86f + 0.1f * over + 0.14f * warp_thread + 0.14f * weft_thread);
  // Folds and creases of a cloth that lies loose.
  const float fold = noise.at(p.x * 2.2f + 0.7f * noise.at(p.x, p.y * 2), p.y * 0.8f);
  const float next = noise.at((p.x + 0.03f) * 2.2f + 0.7f * noise.at(p.x, p.y * 2), p.y * 0.8f);
  surface.tilt_x = 2.6f * (next - fold);
  surface.tilt_y = 0.6f * surface.tilt_x;
  return surface;
}

Surface marble(const Table& table, const Noise& noise, At p) {
  const float warp_x = noise.fractal(p.x * 1.7f, p.y * 1.7f, 3);
  const float warp_y = noise.fractal(p.x * 1.7f + 40, p.y * 1.7f + 11, 3);
  const float field = noise.at(p.x * 2.2f + 2.6f * warp_x, p.y * 1.2f + 2.6f * warp_y);
  const float thin = 1 - smooth_step(0.0f, 0.035f, std::abs(field - 0.5f));
  const float wide = 1 - smooth_step(0.0f, 0.22f, std::abs(field - 0.5f));
  const float cloud = warp_x - 0.5f;
  const float vein = clamp01(0.55f * thin * warp_y + 0.28f * wide + 0.5f * cloud);
  return {.colour = mix(table.main, table.second, vein) * (0.97f + 0.06f * warp_y)};
}

Surface tiles(const Table& table, const Noise& noise, At p) {
  const float x = p.x * 3.1f;
  const float y = p.y * 3.1f;
  const float cell_x = std::floor(x);
  const float cell_y = std::floor(y);
  const float in_x = x - cell_x - 0.5f;
  const float in_y = y - cell_y - 0.5f;
  const float edge = 0.5f - std::max(std::abs(in_x), std::abs(in_y));
  const float grout = 1 - smooth_step(0.012f, 0.024f, edge);
  const float bevel = 1 - smooth_step(0.02f, 0.06f, edge);
  const float tone = noise.cell(static_cast<int>(cell_x), static_cast<int>(cell_y));
  const float mottle = noise.fractal(p.x * 9, p.y * 9, 3);
  Surface surface;
  surface.colour = mix(table.main * (0.84f + 0.2f * tone + 0.16f * mottle),
                       table.second * (0.7f + 0.4f * noise.at(p.x * 60, p.y * 60)), grout);
  const bool across = std::abs(in_x) > std::abs(in_y);
  surface.tilt_x = across ? -0.5f * bevel * (in_x > 0 ? 1.0f : -1.0f) : 0;
  surface.tilt_y = across ? 0 : -0.5f * bevel * (in_y > 0 ? 1.0f : -1.0f);
  surface.tilt_x += 0.08f * (mottle - 0.5f);
  return surface;
}

Surface slate(const Table& table, const Noise& noise, At p) {
  const float rough = noise.fractal(p.x * 7, p.y * 11, 4);
  const float fine = noise.at(p.x * 120, p.y * 150);
  const float layer = smooth_step(0.47f, 0.53f, noise.at(p.x * 2 + rough, p.y * 3));
  Surface surface;
  surface.colour = mix(table.second, table.main, clamp01(0.15f + 0.6f * rough + 0.25f * layer)) *
                   (0.85f + 0.3f * fine);
  surface.tilt_x = 0.5f * (rough - 0.5f) + 0.3f * (fine - 0.5f);
  surface.tilt_y = 0.4f * (noise.at(p.x * 90 + 9, p.y * 90) - 0.5f);
  return surface;
}

Surface painted(const Table& table, const Noise& noise, At p) {
  const float brush = noise.fractal(p.x * 3, p.y * 40, 2);
  const float cloud = noise.fractal(p.x * 1.5f, p.y * 1.5f, 2);
  const float worn = smooth_step(0.66f, 0.8f, noise.fractal(p.x * 6 + 50, p.y * 14, 3));
  const float wear = table.striped ? worn : 0;
  Surface surface;
  surface.colour = mix(table.main, table.second, clamp01(0.3f * (cloud - 0.2f) + 0.7f * wear)) *
                   (0.92f + 0.14f * brush);
  surface.tilt_y = 0.14f * (brush - 0.5f);
  return surface;
}

}  // namespace

Surface table_at(const Table& table, const Noise& noise, float ground_x, float ground_y) {
  const At p{(table.cosine * ground_x + table.sine * ground_y) / table.scale,
             (table.cosine * ground_y - table.sine * ground_x) / table.scale};
  switch (table.kind) {
    case TableKind::kWood:
      return wood(table, noise, p);
    case TableKind::kLinen:
      return linen(table, noise, p);
    case TableKind::kMarble:
      return marble(table, noise, p);
    case TableKind::kTiles:
      return tiles(table, noise, p);
    case TableKind::kSlate:
      return slate(table, noise, p);
    case TableKind::kPainted:
      return painted(table, noise, p);
  }
  return {};
}

}  // namespace engraft::plates
