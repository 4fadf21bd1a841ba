// Vectors as the kernels use them. Included once for each instruction set (hwy/foreach_target.h).
#if defined(ENGRAFT_KERNELS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAFT_KERNELS_SIMD_INL_H_
#undef ENGRAFT_KERNELS_SIMD_INL_H_
#else
#define ENGRAFT_KERNELS_SIMD_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <limits>

#include "engraft/kernels/gate.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
constexpr Floats kFloats;
constexpr std::int64_t kLanes = hn::MaxLanes(kFloats);

/// The vector registers that the processor has names for.
constexpr int kRegisters = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64 ? 32 : 16;

/// How much of a vector lies inside the array.
enum class Fill { kWhole, kPart };

/// The first n values at p, zeros behind them; Fill::kWhole: all lanes, n is not looked at. Values
/// behind the n are never touched.
template <Fill kFill = Fill::kWhole>
HWY_INLINE Vector load(const float* p, [[maybe_unused]] std::int64_t n = kLanes) {
  if constexpr (kFill == Fill::kWhole) {
    return hn::LoadU(kFloats, p);
  } else {
#if HWY_MEM_OPS_MIGHT_FAULT  // masked loads are whole loads there
    HWY_ALIGN float lanes[kLanes] = {};
    for (std::int64_t i = 0; i < n; ++i) lanes[i] = p[i];
    return hn::Load(kFloats, lanes);
#else
    return hn::MaskedLoad(hn::FirstN(kFloats, static_cast<std::size_t>(n)), kFloats, p);
#endif
  }
}

/// Writes the first n lanes to p; Fill::kWhole: all of them.
template <Fill kFill = Fill::kWhole>
HWY_INLINE void store(Vector v, float* p, [[maybe_unused]] std::int64_t n = kLanes) {
  if constexpr (kFill == Fill::kWhole) {
    hn::StoreU(v, kFloats, p);
  } else {
#if HWY_MEM_OPS_MIGHT_FAULT
    HWY_ALIGN float lanes[kLanes];
    hn::Store(v, kFloats, lanes);
    for (std::int64_t i = 0; i < n; ++i) p[i] = lanes[i];
#else
    hn::BlendedStore(v, hn::FirstN(kFloats, static_cast<std::size_t>(n)), kFloats, p);
#endif
  }
}

HWY_INLINE Vector set(float value) {
  return hn::Set(kFloats, value);
}
HWY_INLINE Vector zero() {
  return hn::Zero(kFloats);
}

/// A Gate as two bounds: closed where y ≤ low or y ≥ high. A bound that is not there is NaN, which
/// no comparison holds for.
struct GateBounds {
  Vector low, high;

  explicit HWY_INLINE GateBounds(Gate gate)
      : low(set(gate == Gate::kOpen ? std::numeric_limits<float>::quiet_NaN() : 0.0F)),
        high(set(gate == Gate::kRelu6 ? 6.0F : std::numeric_limits<float>::quiet_NaN())) {}

  /// gradient where the gate is open at y, else 0
  HWY_INLINE Vector pass(Vector y, Vector gradient) const {
    return hn::IfThenZeroElse(hn::Or(hn::Le(y, low), hn::Ge(y, high)), gradient);
  }
};

/// An activation as two bounds. NaN passes, so that it shows.
struct Clamp {
  Vector low, high;

  explicit HWY_INLINE Clamp(Gate activation)
      : low(set(activation == Gate::kOpen ? -std::numeric_limits<float>::infinity() : 0.0F)),
        high(set(activation == Gate::kRelu6 ? 6.0F : std::numeric_limits<float>::infinity())) {}

  HWY_INLINE Vector operator()(Vector value) const {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE4  // not what stands in for vectors
    // The operand that stands last is the result where one is NaN; elsewhere it is the number.
    return hn::Min(high, hn::Max(low, value));
#else
    const Vector raised = hn::IfThenElse(hn::Lt(value, low), low, value);
    return hn::IfThenElse(hn::Gt(raised, high), high, raised);
#endif
  }
};

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
