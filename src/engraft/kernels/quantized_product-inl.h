// Bytes times integer weights, for quantized_block.cpp and quantized_pointwise.cpp. Included once
// for each instruction set (hwy/foreach_target.h).
#if defined(ENGRAFT_KERNELS_QUANTIZED_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAFT_KERNELS_QUANTIZED_PRODUCT_INL_H_
#undef ENGRAFT_KERNELS_QUANTIZED_PRODUCT_INL_H_
#else
#define ENGRAFT_KERNELS_QUANTIZED_PRODUCT_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "engraft/kernels/int8-inl.h"
#include "engraft/kernels/quantization.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

/// Bytes of what packed weights begin with: x's range.
constexpr std::int64_t kHead = 64;

inline std::byte* write_head(const ByteRange& x, std::byte* to) {
  static_assert(sizeof x <= kHead);
  std::fill(to, to + kHead, std::byte{0});
  std::memcpy(to, &x, sizeof x);
  return to + kHead;
}
inline ByteRange read_head(const std::byte* packed) {
  ByteRange x(0, 0);
  std::memcpy(&x, packed, sizeof x);
  return x;
}

/// y[p,o] = act(scale[o]·Σ_k x[p,k]·w[k,o] + bias[o] (+ addend[p,o])), x bytes, y floats.
struct ByteProduct {
  std::int64_t depth, channels, pixels;  ///< depth: a multiple of 4
  const std::uint8_t* x;                 ///< [pixels, depth]
  const std::byte* packed;               ///< by pack_product()
  const float* addend;                   ///< [pixels, channels], or null
  float* y;                              ///< [pixels, channels]
  Clamp clamp;
};

/// How y's channels are cut: into panels of nearly equal width, or into ones that begin at every
/// multiple of kPointwiseStep or oftener.
enum class Cut { kEqual, kWide };

template <Cut kCut, typename Each>
HWY_INLINE void for_each_cut(std::int64_t channels, const Each& each) {
  if constexpr (kCut == Cut::kEqual) {
    for_each_panel(channels, each);
  } else {
    for_each_wide_panel(channels, each);
  }
}

/// One panel of y's channels.
template <int kVectors, Fill kFill>
struct ByteProductPanel {
  const ByteProduct& product;
  const float* scale;    ///< [panel]
  const float* bias;     ///< [panel]
  const std::int8_t* w;  ///< [depth/4, panel, 4]
  std::int64_t first_channel;
  std::int64_t n;  ///< channels in the last vector

  template <int kPixels>
  HWY_INLINE void run(std::int64_t first) const {
    IntTile<kPixels, kVectors> sum;
    ENGRAFT_UNROLL for (int v = 0; v < kVectors; ++v) {
      ENGRAFT_UNROLL for (int p = 0; p < kPixels; ++p) sum[p][v] = hn::Zero(kInts);
    }
    add_quads<kPixels, kVectors>(product.depth / kQuad, product.x + first * product.depth,
                                 product.depth, w, sum);
    const std::int64_t at = first * product.channels + first_channel;
    ENGRAFT_UNROLL for (int v = 0; v < kVectors; ++v) {
      const Vector s = load(scale + v * kLanes), b = load(bias + v * kLanes);
      ENGRAFT_UNROLL for (int p = 0; p < kPixels; ++p) {
        const std::int64_t place = at + p * product.channels + v * kLanes;
        const Vector y = hn::MulAdd(hn::ConvertTo(kFloats, sum[p][v]), s, b);
        if (v + 1 < kVectors) {
          finish<Fill::kWhole>(y, place);
        } else {
          finish<kFill>(y, place);
        }
      }
    }
  }

 private:
  template <Fill kHow>
  HWY_INLINE void finish(Vector y, std::int64_t place) const {
    if (product.addend != nullptr) y = hn::Add(y, load<kHow>(product.addend + place, n));
    store<kHow>(product.clamp(y), product.y + place, n);
  }
};

template <int kVectors, Fill kFill>
HWY_NOINLINE void multiply_panel(const ByteProductPanel<kVectors, kFill>& panel) {
  for_each_tile<kVectors>(panel.product.pixels, panel);
}

/// Bytes of one panel's packed weights.
HWY_INLINE std::int64_t product_panel_bytes(std::int64_t depth, std::int64_t width) {
  return width * (8 + depth);
}
HWY_INLINE std::int64_t product_bytes(std::int64_t depth, std::int64_t channels) {
  return product_panel_bytes(depth, padded(channels));
}

/// Channels [first_channel, last_channel): whole panels.
template <Cut kCut>
HWY_INLINE void multiply(const ByteProduct& product, std::int64_t first_channel,
                         std::int64_t last_channel) {
  const std::byte* packed = product.packed;
  for_each_cut<kCut>(product.channels, [&](const Panel& panel) HWY_ATTR {
    const std::int64_t width = panel.vectors * kLanes;
    const auto* scale = reinterpret_cast<const float*>(packed);
    packed += product_panel_bytes(product.depth, width);
    if (panel.begin < first_channel || panel.begin >= last_channel) return;
    with_vectors(panel.vectors, [&]<int kVectors>() HWY_ATTR {
      constexpr std::int64_t kPanel = kVectors * kLanes;
      const auto* w = reinterpret_cast<const std::int8_t*>(scale + 2 * kPanel);
      const std::int64_t n = panel.count - (kVectors - 1) * kLanes;
      if (n == kLanes) {
        multiply_panel<kVectors, Fill::kWhole>({product, scale, scale + kPanel, w, panel.begin, n});
      } else {
        multiply_panel<kVectors, Fill::kPart>({product, scale, scale + kPanel, w, panel.begin, n});
      }
    });
  });
}

struct ProductWeights {
  std::int64_t depth, channels;
  const float* w;     ///< [depth, channels]
  const float* bias;  ///< [channels], or null
  ByteRange x;
};

/// Of each panel: scale, bias, weights.
template <Cut kCut>
inline void pack_product(const ProductWeights& of, std::byte* to) {
  std::vector<float> column(static_cast<std::size_t>(of.depth));
  for_each_cut<kCut>(of.channels, [&](const Panel& panel) {
    const std::int64_t width = panel.vectors * kLanes;
    auto* const scale = reinterpret_cast<float*>(to);
    float* const bias = scale + width;
    auto* const w = reinterpret_cast<std::int8_t*>(bias + width);
    std::fill(to, to + product_panel_bytes(of.depth, width), std::byte{0});
    for (std::int64_t c = 0; c < panel.count; ++c) {
      const std::int64_t channel = panel.begin + c;
      for (std::size_t k = 0; k < column.size(); ++k) {
        column[k] = of.w[static_cast<std::int64_t>(k) * of.channels + channel] * of.x.scale;
      }
      const QuantizedChannel quantized(column, 0);
      for (std::int64_t k = 0; k < of.depth; ++k) {
        w[(k / kQuad * width + c) * kQuad + k % kQuad] =
            quantized.weight(static_cast<std::size_t>(k));
      }
      scale[c] = quantized.scale();
      const double begin = quantized.begin(of.x.zero_point);
      const float b = of.bias == nullptr ? 0.0F : of.bias[channel];
      bias[c] = static_cast<float>(b + begin * quantized.scale());
    }
    to += product_panel_bytes(of.depth, width);
  });
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
