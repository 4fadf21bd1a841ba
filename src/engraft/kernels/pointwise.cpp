#include "engraft/kernels/pointwise.h"

#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/pointwise.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cassert>

#include "engraft/kernels/matmul-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

/// Pixels whose x stays in the second cache while the panels pass.
constexpr std::int64_t kFloatsTogether = 96 * 1024;

/// to[p,·] = act(bias + Σ_k x[p,k]·w[k,·]), one panel of y's channels.
template <int kVectors, Fill kFill>
struct PanelOfRow {
  std::int64_t depth;
  const float* x;
  const float* bias;
  const float* w;
  Clamp clamp;
  float* to;
  std::int64_t channels;
  std::int64_t n;  ///< channels in the last vector

  template <int kPixels>
  HWY_INLINE void run(std::int64_t first) const {
    Tile<kPixels, kVectors> sum;
    for (int v = 0; v < kVectors; ++v) {
      const Vector value = load(bias + v * kLanes);
      for (int p = 0; p < kPixels; ++p) sum[p][v] = value;
    }
    add_products<kPixels, kVectors>(depth, x + first * depth, depth, w, sum);
    for (int p = 0; p < kPixels; ++p) {
      for (int v = 0; v < kVectors; ++v) {
        float* at = to + (first + p) * channels + v * kLanes;
        const Vector value = clamp(sum[p][v]);
        v + 1 < kVectors ? store(value, at) : store<kFill>(value, at, n);
      }
    }
  }
};

template <int kVectors, Fill kFill>
HWY_NOINLINE void run_tiles(std::int64_t pixels, const PanelOfRow<kVectors, kFill>& panel) {
  for_each_tile<kVectors>(pixels, panel);
}

void run_panel(const Pointwise& layer, const Panel& panel, const float* packed, const float* x,
               std::int64_t pixels, float* y) {
  const Clamp clamp(layer.activation);
  with_vectors(panel.vectors, [&]<int kVectors>() HWY_ATTR {
    const float* w = packed + kVectors * kLanes;
    float* to = y + panel.begin;
    const std::int64_t n = panel.count - (kVectors - 1) * kLanes;
    if (n == kLanes) {
      run_tiles<kVectors, Fill::kWhole>(pixels, {layer.in, x, packed, w, clamp, to, layer.out, n});
    } else {
      run_tiles<kVectors, Fill::kPart>(pixels, {layer.in, x, packed, w, clamp, to, layer.out, n});
    }
  });
}

std::int64_t panel_floats(const Pointwise& layer, const Panel& panel) {
  return panel.vectors * kLanes * (1 + layer.in);
}

std::size_t packed_floats(const Pointwise& layer) {
  return static_cast<std::size_t>(padded(layer.out) * (1 + layer.in));
}

/// Of each panel the bias, then w.
void pack_layer(const Pointwise& layer, const float* w, const float* b, float* to) {
  for_each_wide_panel(layer.out, [&](const Panel& panel) {
    const std::int64_t width = panel.vectors * kLanes;
    to = b == nullptr ? pack_vector(nullptr, 0, width, to)
                      : pack_vector(b + panel.begin, panel.count, width, to);
    to = pack_panel({w, layer.out, 1}, 0, layer.in, panel, to);
  });
}

void run_layer(const Pointwise& layer, const PointwiseRun& run) {
  const std::int64_t most = std::max<std::int64_t>(64, kFloatsTogether / layer.in);
  for (std::int64_t p = 0; p < run.pixels; p += most) {
    const std::int64_t pixels = std::min(most, run.pixels - p);
    const float* packed = run.packed;
    for_each_wide_panel(layer.out, [&](const Panel& panel) HWY_ATTR {
      const float* weights = packed;
      packed += panel_floats(layer, panel);
      if (panel.begin < run.first_channel || panel.begin >= run.last_channel) return;
      run_panel(layer, panel, weights, run.x + p * layer.in, pixels, run.y + p * layer.out);
    });
  }
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {

HWY_EXPORT(packed_floats);
HWY_EXPORT(pack_layer);
HWY_EXPORT(run_layer);

std::size_t packed_size(const Pointwise& layer) {
  return HWY_DYNAMIC_DISPATCH(packed_floats)(layer);
}

void pack(const Pointwise& layer, const float* w, const float* b, float* packed) {
  HWY_DYNAMIC_DISPATCH(pack_layer)(layer, w, b, packed);
}

void pointwise(const Pointwise& layer, const PointwiseRun& run) {
  assert(run.pixels >= 0 && run.first_channel % kPointwiseStep == 0);
  HWY_DYNAMIC_DISPATCH(run_layer)(layer, run);
}

}  // namespace engraft
#endif
