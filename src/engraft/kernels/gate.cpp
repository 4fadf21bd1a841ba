#include "engraft/kernels/gate.h"

#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/gate.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cassert>

#include "engraft/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

void gate_all(Gate gate, std::int64_t size, const float* y, float* dy) {
  const GateBounds bounds(gate);
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) store(bounds.pass(load(y + i), load(dy + i)), dy + i);
  if (i == size) return;
  const std::int64_t n = size - i;
  const Vector passed = bounds.pass(load<Fill::kPart>(y + i, n), load<Fill::kPart>(dy + i, n));
  store<Fill::kPart>(passed, dy + i, n);
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {

HWY_EXPORT(gate_all);

void gate_gradient(Gate gate, std::span<const float> y, std::span<float> dy) {
  if (gate == Gate::kOpen) return;
  assert(y.size() == dy.size());
  HWY_DYNAMIC_DISPATCH(gate_all)(gate, std::ssize(dy), y.data(), dy.data());
}

}  // namespace engraft
#endif
