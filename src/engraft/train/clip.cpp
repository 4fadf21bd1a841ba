#include "engraft/train/clip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engraft/base/error.h"

namespace engraft {
namespace {

/// Sums that run side by side, which a processor does at once; part of the order of summation.
constexpr std::size_t kLanes = 16;

std::span<const float> block_of(std::span<const float> g, std::size_t block) {
  const std::size_t begin = block * kNormBlock;
  return g.subspan(begin, std::min(kNormBlock, g.size() - begin));
}

void check_max_norm(float max_norm) {
  if (max_norm > 0 && std::isfinite(max_norm)) return;
  throw Error(
      ErrorKind::kUsage,
      fmt::format("the largest gradient norm must be above 0, not {}: 1 is a usual one", max_norm));
}

}  // namespace

std::size_t norm_blocks(std::size_t size) {
  return size / kNormBlock + (size % kNormBlock == 0 ? 0 : 1);
}

double sum_of_squares(std::span<const float> block) {
  double lanes[kLanes] = {};
  const std::size_t whole = block.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double g = block[i + lane];
      lanes[lane] += g * g;
    }
  }
  for (std::size_t i = whole; i < block.size(); ++i) {
    const double g = block[i];
    lanes[i - whole] += g * g;
  }
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

double norm_of(std::span<const double> block_sums) {
  double sum = 0;
  for (const double block : block_sums) sum += block;
  return std::sqrt(sum);
}

double global_norm(std::span<const float> g) {
  double sum = 0;
  for (std::size_t block = 0; block < norm_blocks(g.size()); ++block) {
    sum += sum_of_squares(block_of(g, block));
  }
  return std::sqrt(sum);
}

float clip_factor(double norm, float max_norm) {
  check_max_norm(max_norm);
  if (!std::isfinite(norm) || norm <= max_norm) return 1;
  return static_cast<float>(max_norm / norm);
}

void scale(std::span<float> g, float factor) {
  if (factor == 1) return;
  for (float& value : g) value *= factor;
}

double clip_by_global_norm(std::span<float> g, float max_norm) {
  check_max_norm(max_norm);
  const double norm = global_norm(g);
  scale(g, clip_factor(norm, max_norm));
  return norm;
}

}  // namespace engraft
