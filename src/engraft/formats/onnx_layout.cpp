#include "engraft/formats/onnx_layout.h"

#include <algorithm>

namespace engraft::onnx_format {
namespace {

/// 16 × 16 floats are 16 cache lines on either side.
constexpr std::size_t kTile = 16;

/// Calls move(index in HWIO, index in OIHW) for every value of outputs [first, last), in tiles, so
/// that neither side is walked a cache line a value.
template <typename Move>
void for_each_value(const KernelExtents& e, std::size_t first, std::size_t last, const Move& move) {
  for (std::size_t tap = 0; tap < e.area; ++tap) {
    for (std::size_t i0 = 0; i0 < e.inputs; i0 += kTile) {
      for (std::size_t o0 = first; o0 < last; o0 += kTile) {
        const std::size_t i1 = std::min(i0 + kTile, e.inputs);
        const std::size_t o1 = std::min(o0 + kTile, last);
        for (std::size_t i = i0; i < i1; ++i) {
          for (std::size_t o = o0; o < o1; ++o) {
            move((tap * e.inputs + i) * e.outputs + o, (o * e.inputs + i) * e.area + tap);
          }
        }
      }
    }
  }
}

}  // namespace

void hwio_to_oihw(std::span<const float> from, std::span<float> to, const KernelExtents& extents) {
  for_each_value(extents, 0, extents.outputs,
                 [&](std::size_t hwio, std::size_t oihw) { to[oihw] = from[hwio]; });
}

void oihw_to_hwio(std::span<const float> from, std::size_t first, std::span<float> to,
                  const KernelExtents& extents) {
  if (from.empty()) return;
  const std::size_t output = extents.area * extents.inputs;
  for_each_value(
      extents, first, first + from.size() / output,
      [&](std::size_t hwio, std::size_t oihw) { to[hwio] = from[oihw - first * output]; });
}

}  // namespace engraft::onnx_format
