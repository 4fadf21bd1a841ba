#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace engraft {

/// The smallest range that a scale is made for.
inline constexpr float kSmallestRange = 1e-6F;

/// Real numbers as bytes 0…255: value = scale · (byte − zero_point). Zero lies in every range.
struct ByteRange {
  float scale = 1, zero_point = 0;

  ByteRange(float low, float high) {
    low = std::min(low, 0.0F);
    high = std::max(high, 0.0F);
    scale = std::max(high - low, kSmallestRange) / 255;
    zero_point = -low / scale;
  }
};

/// The weights and bias of one output channel as integers: weight ≈ scale · integer in -127…127.
class QuantizedChannel {
 public:
  /// weights: times the scale of x's bytes that they are multiplied with.
  QuantizedChannel(std::span<const float> weights, float bias) : weights_(weights), bias_(bias) {
    float most = kSmallestRange;
    for (const float weight : weights) most = std::max(most, std::abs(weight));
    // A bias that is great beside the weights must fit into a sum, too.
    scale_ = std::max(most / 127, std::abs(bias) / kMostBias);
  }

  /// result = scale · (sum of products of integers + begin)
  [[nodiscard]] float scale() const { return scale_; }
  [[nodiscard]] std::int8_t weight(std::size_t k) const {
    return static_cast<std::int8_t>(std::nearbyint(weights_[k] / scale_));
  }
  /// What the sum begins with, for x's zero point.
  [[nodiscard]] double begin(float zero_point) const {
    double begin = double{bias_} / scale_;
    for (std::size_t k = 0; k < weights_.size(); ++k) begin -= double{zero_point} * weight(k);
    return begin;
  }
  [[nodiscard]] std::int32_t whole_begin(float zero_point) const {
    return static_cast<std::int32_t>(std::nearbyint(begin(zero_point)));
  }
  /// (sum + begin) · factor: the result as a byte of that scale.
  [[nodiscard]] float factor(float byte_scale) const {
    return std::min(scale_ / byte_scale, kMostFactor);
  }

 private:
  static constexpr float kMostBias = 1 << 24;
  /// A greater one has all bytes but the first few cut off; no sum times this leaves 32 bits.
  static constexpr float kMostFactor = 32;

  std::span<const float> weights_;
  float bias_;
  float scale_;
};

}  // namespace engraft
