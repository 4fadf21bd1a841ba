#include "engraft/formats/half.h"

#include <bit>

namespace engraft {
namespace {

constexpr std::uint32_t kFloatInfinity = 0x7f800000u;
constexpr std::uint16_t kHalfInfinity = 0x7c00u;
constexpr std::uint16_t kHalfNan = 0x7e00u;
constexpr std::uint32_t kExponentGap = 127 - 15;

}  // namespace

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 31u;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 0) {  // zero and subnormals: fraction · 2⁻²⁴
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + kExponentGap;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

std::uint16_t float_to_half(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  const float size = std::bit_cast<float>(magnitude);
  if (magnitude > kFloatInfinity) return sign | kHalfNan;
  if (size >= 65520.0f) return sign | kHalfInfinity;
  std::uint32_t half = 0;
  if (size < 0x1p-14f) {  // zero and subnormals, whole numbers of 2⁻²⁴
    const float units = size * 0x1p24f;
    half = static_cast<std::uint32_t>(units);
    const float rest = units - static_cast<float>(half);
    if (rest > 0.5f || (rest == 0.5f && (half & 1u) != 0)) ++half;
  } else {  // adding just under a half of the last place carries where it has to
    const std::uint32_t last = (magnitude >> 13) & 1u;
    half = ((magnitude + 0xfffu + last) >> 13) - (kExponentGap << 10);
  }
  return static_cast<std::uint16_t>(sign | half);
}

}  // namespace engraft
