#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engraft/graph/shape_inference.h"
#include "engraft/graph/weights.h"
#include "engraft/tensor/tensor.h"

/// The weights and pictures that scripts/torch_gradients.py makes, bit for bit. The formulas stand
/// at the top of that script.
namespace engraft::test {

/// The i-th number of the stream of that name: SplitMix64, seeded with the name's 64-bit FNV-1a.
class SyntheticStream {
 public:
  explicit SyntheticStream(std::string_view name) {
    for (const char c : name) key_ = (key_ ^ static_cast<std::uint8_t>(c)) * 0x100000001B3ull;
  }
  [[nodiscard]] std::uint64_t at(std::size_t i) const {
    std::uint64_t z = key_ + (static_cast<std::uint64_t>(i) + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  /// In (-1, 1): an odd multiple of 2^-24.
  [[nodiscard]] double uniform(std::size_t i) const {
    const auto top = static_cast<std::int64_t>(at(i) >> 40);
    return static_cast<double>(2 * top + 1 - (std::int64_t{1} << 24)) /
           static_cast<double>(std::int64_t{1} << 24);
  }

 private:
  std::uint64_t key_ = 0xCBF29CE484222325ull;
};

struct SyntheticSpread {
  double centre = 0, spread = 0;
};

/// Where a parameter's values lie: uniform in centre ± spread.
[[nodiscard]] inline SyntheticSpread synthetic_spread(std::string_view name, const Shape& shape,
                                                      double beta_centre) {
  const std::string_view kind = name.substr(name.rfind('/') + 1);
  if (kind == "gamma") return {.centre = 2, .spread = 0.5};
  if (kind == "beta") return {.centre = beta_centre, .spread = 1};
  if (kind == "moving_mean") return {.centre = 0, .spread = 0.5};
  if (kind == "moving_variance") return {.centre = 4, .spread = 1};
  if (kind == "bias") return {.centre = 0, .spread = 0.0625};
  const auto inputs = static_cast<double>(shape.elements() / shape[-1]);
  return {.centre = 0, .spread = std::sqrt((shape.rank() == 2 ? 0.5 : 5.0) / inputs)};
}

[[nodiscard]] inline Tensor synthetic_parameter(const std::string& name, const Shape& shape,
                                                double beta_centre) {
  const SyntheticStream stream(name);
  const SyntheticSpread s = synthetic_spread(name, shape, beta_centre);
  Tensor tensor(shape);
  std::size_t i = 0;
  for (float& value : tensor.values()) {
    value = static_cast<float>(s.centre + s.spread * stream.uniform(i++));
  }
  return tensor;
}

/// Every parameter of a graph. beta_centre: 0, or 2 where batch norm uses the batch's statistics.
[[nodiscard]] inline Weights synthetic_weights(const Graph& graph, double beta_centre = 0) {
  Weights weights;
  for (const auto& [name, shape] : parameter_shapes(graph)) {
    weights.set(name, synthetic_parameter(name, shape, beta_centre));
  }
  return weights;
}

struct SyntheticPictures {
  int count = 8;
  int side = 64;  ///< divisible by 8
  std::uint64_t seed = 0;
};

/// [count,side,side,3]: each a colour, coarse blocks and fine grain, in (-1, 1).
[[nodiscard]] inline Tensor synthetic_pictures(const SyntheticPictures& spec) {
  const std::string prefix = "pictures-" + std::to_string(spec.seed) + "/";
  const SyntheticStream colour(prefix + "colour"), block(prefix + "block"), pixel(prefix + "pixel");
  const auto side = static_cast<std::size_t>(spec.side), blocks = side / 8;
  Tensor pictures({spec.count, spec.side, spec.side, 3});
  std::size_t i = 0;
  for (float& value : pictures.values()) {
    const std::size_t c = i % 3, x = i / 3 % side, y = i / 3 / side % side, n = i / 3 / side / side;
    const std::size_t b = ((n * blocks + y / 8) * blocks + x / 8) * 3 + c;
    value = static_cast<float>(colour.uniform(n * 3 + c) / 4 + block.uniform(b) / 2 +
                               pixel.uniform(i) / 4);
    ++i;
  }
  return pictures;
}

}  // namespace engraft::test
