#include "engraft/sample/colour.h"

#include <cmath>

namespace engraft::plates {
namespace {

double decode(double srgb) {
  return srgb <= 0.04045 ? srgb / 12.92 : std::pow((srgb + 0.055) / 1.055, 2.4);
}

double encode(double linear) {
  return linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
}

std::array<float, 256> decode_table() {
  std::array<float, 256> table;
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<float>(decode(static_cast<double>(i) / 255));
  }
  return table;
}

}  // namespace

float linear_of(std::uint8_t srgb) {
  static const std::array<float, 256> table = decode_table();
  return table[srgb];
}

SrgbEncoder::SrgbEncoder() {
  for (std::size_t i = 0; i < table_.size(); ++i) {
    table_[i] = static_cast<std::uint8_t>(255 * encode(static_cast<double>(i) / kSteps) + 0.5);
  }
}

const SrgbEncoder& srgb_encoder() {
  static const SrgbEncoder encoder;
  return encoder;
}

Rgb from_hex(std::uint32_t srgb) {
  return {linear_of(srgb >> 16 & 0xFF), linear_of(srgb >> 8 & 0xFF), linear_of(srgb & 0xFF)};
}

}  // namespace engraft::plates
