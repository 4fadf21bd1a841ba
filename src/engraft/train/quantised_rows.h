#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace engraft {

/// Rows of numbers in two bytes each: 2¹⁶ even steps between a row's least and largest value. A row
/// that is not there yet is known for missing. Different rows may be written from different
/// threads.
class QuantisedRows {
 public:
  QuantisedRows() = default;
  QuantisedRows(std::size_t rows, std::size_t columns);

  /// Bytes that so many rows take.
  [[nodiscard]] static std::size_t bytes(std::size_t rows, std::size_t columns);

  [[nodiscard]] bool has(std::size_t row) const { return ranges_[row].step >= 0; }
  /// values: finite.
  void put(std::size_t row, std::span<const float> values);
  /// What put() was given, to within half a step. The row is there.
  void get(std::size_t row, std::span<float> values) const;

 private:
  struct Range {
    float least = 0, step = -1;
  };
  std::size_t columns_ = 0;
  std::vector<std::uint16_t> steps_;
  std::vector<Range> ranges_;
};

}  // namespace engraft
