#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace engraft {

/// Pixels of three bytes, borrowed: row y is the 3 · width bytes at data + y · stride. Nothing
/// before the first row or behind the last is read; what stands between rows may be, and counts for
/// nothing.
struct PixelRows {
  const std::uint8_t* data = nullptr;
  std::ptrdiff_t stride = 0;  ///< bytes from row to row, at least 3 · width
  int width = 0;
  int height = 0;

  [[nodiscard]] const std::uint8_t* row(std::ptrdiff_t y) const { return data + y * stride; }
};

/// Output i is Σ_t weights[starts[i] + t] · sample[firsts[i] + t], t < starts[i + 1] − starts[i].
/// Outputs ascend: firsts do not fall, and none reaches behind the last one's samples.
struct FilterTable {
  std::span<const int> firsts;          ///< one an output
  std::span<const std::size_t> starts;  ///< one more
  std::span<const float> weights;

  [[nodiscard]] std::size_t outputs() const { return firsts.size(); }
  [[nodiscard]] std::span<const float> of(std::size_t i) const {
    return weights.subspan(starts[i], starts[i + 1] - starts[i]);
  }
};

/// Each row filtered along x:  y[r,i,c] = byte(½ + Σ_t w[i,t] · x[r, first_i + t, c]), summed in
/// float in the order in which it stands here; byte() cuts off what is behind the point and outside
/// 0…255.  x: [H,W,3]  y: [H,outputs,3], without padding. The samples of table lie in the rows.
void filter_rows(const PixelRows& x, const FilterTable& table, std::uint8_t* y);

/// The same along y:  y[i,j,c] = byte(½ + Σ_t w[i,t] · x[first_i + t, j, c]);  y: [outputs,W,3]
void filter_columns(const PixelRows& x, const FilterTable& table, std::uint8_t* y);

/// Where an output lies between two samples: at low · (1 − fraction) + high · fraction.
struct Between {
  int low = 0, high = 0;
  float fraction = 0;
};

/// Two taps along either axis, along x first:  with m(a,b,f) = a + (b − a) · f in float,
/// y[i,j,c] = byte(½ + m(m(x[i₀,j₀,c], x[i₀,j₁,c], f_j), m(x[i₁,j₀,c], x[i₁,j₁,c], f_j), f_i)).
/// y: [rows,columns,3]
void mix_neighbours(const PixelRows& x, std::span<const Between> rows,
                    std::span<const Between> columns, std::uint8_t* y);

}  // namespace engraft
