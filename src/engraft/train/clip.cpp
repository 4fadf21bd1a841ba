#include "engraft/train/clip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engraft/base/error.h"

namespace engraft {
namespace {

/// Elements whose squares are summed in one piece.
constexpr std::size_t kBlock = 65536;
/// Sums that run side by side, which a processor does at once; part of the order of summation.
constexpr std::size_t kLanes = 16;

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

}  // namespace

double global_norm(std::span<const float> g, ThreadPool& pool) {
  std::vector<double> sums((g.size() + kBlock - 1) / kBlock);
  pool.for_each(sums.size(), [&](std::size_t block, int) {
    const std::size_t begin = block * kBlock;
    sums[block] = sum_of_squares(g.subspan(begin, std::min(kBlock, g.size() - begin)));
  });
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

float clip_factor(double norm, float max_norm) {
  if (!(max_norm > 0 && std::isfinite(max_norm))) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the largest gradient norm must be above 0, not {}: 1 is a usual one",
                            max_norm));
  }
  if (!std::isfinite(norm) || norm <= max_norm) return 1;
  return static_cast<float>(max_norm / norm);
}

void scale(std::span<float> g, float factor) {
  if (factor == 1) return;
  for (float& value : g) value *= factor;
}

}  // namespace engraft
