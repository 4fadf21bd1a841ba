#include "engraft/kernels/quantized_pointwise.h"

#define HWY_WANT_AVX3_DL  // 8-bit products are its own
#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/quantized_pointwise.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cassert>

#include "engraft/kernels/quantized_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

std::size_t quantized_layer_bytes(const Pointwise& layer) {
  return static_cast<std::size_t>(kHead + product_bytes(layer.in, layer.out));
}

void pack_quantized_layer(const Pointwise& layer, const float* w, const float* b,
                          const InputRange& range, std::byte* to) {
  const ByteRange x(range.low, range.high);
  pack_product<Cut::kWide>({.depth = layer.in, .channels = layer.out, .w = w, .bias = b, .x = x},
                           write_head(x, to));
}

void run_quantized_layer(const Pointwise& layer, const QuantizedPointwiseRun& run) {
  auto* const x = reinterpret_cast<std::uint8_t*>(run.scratch);
  quantize(run.x, run.pixels * layer.in, read_head(run.packed), x);
  multiply<Cut::kWide>({.depth = layer.in,
                        .channels = layer.out,
                        .pixels = run.pixels,
                        .x = x,
                        .packed = run.packed + kHead,
                        .addend = nullptr,
                        .y = run.y,
                        .clamp = Clamp(layer.activation)},
                       run.first_channel, run.last_channel);
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {

HWY_EXPORT(quantized_layer_bytes);
HWY_EXPORT(pack_quantized_layer);
HWY_EXPORT(run_quantized_layer);

bool is_quantizable(const Pointwise& layer) {
  return layer.in % 4 == 0;
}

std::size_t quantized_packed_size(const Pointwise& layer) {
  return HWY_DYNAMIC_DISPATCH(quantized_layer_bytes)(layer);
}

std::size_t quantized_scratch_size(const Pointwise& layer, std::int64_t pixels) {
  return static_cast<std::size_t>((pixels * layer.in + 63) / 64 * 64);
}

void pack(const Pointwise& layer, const float* w, const float* b, const InputRange& range,
          std::byte* packed) {
  HWY_DYNAMIC_DISPATCH(pack_quantized_layer)(layer, w, b, range, packed);
}

void quantized_pointwise(const Pointwise& layer, const QuantizedPointwiseRun& run) {
  assert(is_quantizable(layer));
  HWY_DYNAMIC_DISPATCH(run_quantized_layer)(layer, run);
}

}  // namespace engraft
#endif
