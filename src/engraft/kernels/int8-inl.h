// Products of 8-bit integers. Included once for each instruction set (hwy/foreach_target.h).
#if defined(ENGRAFT_KERNELS_INT8_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAFT_KERNELS_INT8_INL_H_
#undef ENGRAFT_KERNELS_INT8_INL_H_
#else
#define ENGRAFT_KERNELS_INT8_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "engraft/kernels/matmul-inl.h"
#include "engraft/kernels/panels-inl.h"
#include "engraft/kernels/quantization.h"
#include "engraft/kernels/simd-inl.h"

// Whole tiles stay in registers only if their loops are unrolled early, which g++ does where told;
// clang does it of itself.
#ifndef ENGRAFT_UNROLL
#ifdef __clang__
#define ENGRAFT_UNROLL
#else
#define ENGRAFT_UNROLL _Pragma("GCC unroll 16")
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

using Ints = hn::ScalableTag<std::int32_t>;
/// One sum a lane, or four bytes that are multiplied together with four others.
using IntVector = hn::Vec<Ints>;
constexpr Ints kInts;

/// Bytes that a lane holds.
constexpr std::int64_t kQuad = 4;

HWY_INLINE IntVector load_ints(const std::int32_t* p) {
  return hn::LoadU(kInts, p);
}
HWY_INLINE IntVector load_quads(const std::int8_t* p) {
  return hn::LoadU(kInts, reinterpret_cast<const std::int32_t*>(p));
}
/// The four bytes at p in every lane.
HWY_INLINE IntVector set_quad(const std::uint8_t* p) {
  std::int32_t quad;
  std::memcpy(&quad, p, sizeof quad);
  return hn::Set(kInts, quad);
}

/// sum + Σ_b x[b]·w[b] over a lane's four bytes, x without sign, w with one; exact.
HWY_INLINE IntVector add_quads(IntVector sum, IntVector x, IntVector w) {
#if HWY_TARGET == HWY_AVX3_DL
  // Highway 1.0 asks a processor of this kind for AVX512-VNNI, but does not tell the compiler; and
  // g++ 12 would copy every sum before its intrinsic.
  asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(x.raw), "v"(w.raw));
  return sum;
#elif HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE4
  const hn::Repartition<std::int16_t, Ints> shorts;
  const auto x2 = hn::BitCast(shorts, x), w2 = hn::BitCast(shorts, w);
  IntVector second = hn::Zero(kInts);  // stays so: on x86 all sums go to the first
  sum = hn::ReorderWidenMulAccumulate(kInts, hn::And(x2, hn::Set(shorts, 255)),
                                      hn::ShiftRight<8>(hn::ShiftLeft<8>(w2)), sum, second);
  const hn::Repartition<std::uint16_t, Ints> unsigned_shorts;
  const auto upper = hn::BitCast(shorts, hn::ShiftRight<8>(hn::BitCast(unsigned_shorts, x)));
  return hn::ReorderWidenMulAccumulate(kInts, upper, hn::ShiftRight<8>(w2), sum, second);
#else
  const IntVector byte = hn::Set(kInts, 255);
  sum = hn::Add(sum, hn::Mul(hn::And(x, byte), hn::ShiftRight<24>(hn::ShiftLeft<24>(w))));
  sum = hn::Add(
      sum, hn::Mul(hn::And(hn::ShiftRight<8>(x), byte), hn::ShiftRight<24>(hn::ShiftLeft<16>(w))));
  sum = hn::Add(
      sum, hn::Mul(hn::And(hn::ShiftRight<16>(x), byte), hn::ShiftRight<24>(hn::ShiftLeft<8>(w))));
  return hn::Add(sum, hn::Mul(hn::And(hn::ShiftRight<24>(x), byte), hn::ShiftRight<24>(w)));
#endif
}

/// The nearest integer, of two the even one; |v| < 2^31.
HWY_INLINE IntVector nearest(Vector v) {
#if HWY_TARGET == HWY_AVX3_DL
  return IntVector{_mm512_cvtps_epi32(v.raw)};  // without what Highway does for greater ones
#else
  return hn::NearestInt(v);
#endif
}

/// sum · factor as a byte: 0…255.
HWY_INLINE IntVector to_byte(IntVector sum, Vector factor) {
  const IntVector value = nearest(hn::Mul(hn::ConvertTo(kFloats, sum), factor));
  return hn::Min(hn::Max(value, hn::Zero(kInts)), hn::Set(kInts, 255));
}

/// Lanes that are bytes, one behind the other.
HWY_INLINE void store_bytes(IntVector bytes, std::uint8_t* to) {
#if HWY_TARGET == HWY_AVX3_DL
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(bytes.raw));
#else
  const hn::Rebind<std::uint8_t, Ints> narrow;
  hn::StoreU(hn::DemoteTo(narrow, bytes), narrow, to);
#endif
}

/// A column of bytes that moves up by one: the oldest leaves, `next` comes in on top.
HWY_INLINE IntVector push_byte(IntVector column, IntVector next) {
#if HWY_TARGET == HWY_AVX3_DL
  return IntVector{_mm512_shrdi_epi32(column.raw, next.raw, 8)};
#else
  const hn::RebindToUnsigned<Ints> u;
  return hn::BitCast(kInts, hn::Or(hn::ShiftRight<8>(hn::BitCast(u, column)),
                                   hn::ShiftLeft<24>(hn::BitCast(u, next))));
#endif
}

/// Sums for kPixels pixels by kVectors vectors of channels.
template <int kPixels, int kVectors>
using IntTile = IntVector[kPixels][kVectors];

template <int kPixels, int kVectors>
HWY_INLINE void begin_tile(const std::int32_t* with, IntTile<kPixels, kVectors>& sum) {
  ENGRAFT_UNROLL for (int v = 0; v < kVectors; ++v) {
    const IntVector value = load_ints(with + v * kLanes);
    ENGRAFT_UNROLL for (int p = 0; p < kPixels; ++p) sum[p][v] = value;
  }
}

/// sum[p,·] += Σ_k x[p,k]·w[k,·] over `quads` times four k. A pixel of x stands `step` bytes behind
/// the one before; w: [quads, panel, 4].
template <int kPixels, int kVectors>
HWY_INLINE void add_quads(std::int64_t quads, const std::uint8_t* HWY_RESTRICT x, std::int64_t step,
                          const std::int8_t* HWY_RESTRICT w, IntTile<kPixels, kVectors>& sum) {
  constexpr std::int64_t kBytes = kLanes * kQuad;
  for (std::int64_t k = 0; k < quads; ++k, w += kVectors * kBytes, x += kQuad) {
    IntVector row[kVectors];
    ENGRAFT_UNROLL for (int v = 0; v < kVectors; ++v) row[v] = load_quads(w + v * kBytes);
    ENGRAFT_UNROLL for (int p = 0; p < kPixels; ++p) {
      const IntVector factor = set_quad(x + p * step);
      ENGRAFT_UNROLL for (int v = 0; v < kVectors; ++v) {
        sum[p][v] = add_quads(sum[p][v], factor, row[v]);
      }
    }
  }
}

/// to[i] = x[i] / scale + zero_point as a byte.
HWY_INLINE void quantize(const float* x, std::int64_t n, const ByteRange& range, std::uint8_t* to) {
  const Vector factor = set(1 / range.scale), shift = set(range.zero_point);
  const auto byte = [&](Vector v) HWY_ATTR {
    // What is far out of range, or no number, must not reach the conversion.
    return nearest(hn::Min(hn::Max(hn::MulAdd(v, factor, shift), zero()), set(255)));
  };
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_bytes(byte(load(x + i)), to + i);
  if (i >= n) return;
  HWY_ALIGN std::uint8_t rest[kLanes];
  store_bytes(byte(load<Fill::kPart>(x + i, n - i)), rest);
  std::copy(rest, rest + (n - i), to + i);
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
