#include "engraft/train/quantised_rows.h"

#include <algorithm>

namespace engraft {
namespace {

constexpr float kSteps = 65535;

}  // namespace

QuantisedRows::QuantisedRows(std::size_t rows, std::size_t columns)
    : columns_(columns), steps_(rows * columns), ranges_(rows) {}

std::size_t QuantisedRows::bytes(std::size_t rows, std::size_t columns) {
  return rows * (columns * sizeof(std::uint16_t) + sizeof(Range));
}

void QuantisedRows::put(std::size_t row, std::span<const float> values) {
  const auto [least, largest] = std::ranges::minmax(values);
  const float step = (largest - least) / kSteps;
  const float inverse = step > 0 ? 1 / step : 0;
  std::uint16_t* to = steps_.data() + row * columns_;
  for (std::size_t i = 0; i < columns_; ++i) {
    const float steps = std::min((values[i] - least) * inverse + 0.5f, kSteps);
    to[i] = static_cast<std::uint16_t>(static_cast<int>(steps));
  }
  ranges_[row] = {.least = least, .step = step};
}

void QuantisedRows::get(std::size_t row, std::span<float> values) const {
  const auto [least, step] = ranges_[row];
  const std::uint16_t* from = steps_.data() + row * columns_;
  for (std::size_t i = 0; i < columns_; ++i) {
    values[i] = least + step * static_cast<float>(from[i]);
  }
}

}  // namespace engraft
