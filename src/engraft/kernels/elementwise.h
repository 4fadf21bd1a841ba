#pragma once

#include <span>

namespace engraft {

// Arrays of one call have the same size, but for rows, whose size [C] divides that of [P,C].
// An output may be one of the inputs of its own size; other overlaps are not allowed.

/// y += x
void add_to(std::span<const float> x, std::span<float> y);

/// y = a·b, value by value. Its backward pass is multiply(dy, b) and multiply(dy, a).
void multiply(std::span<const float> a, std::span<const float> b, std::span<float> y);

/// y[p,c] = a[p,c]·row[c].  a, y: [P,C]  row: [C]. Backward for a: multiply_rows(dy, row, da).
void multiply_rows(std::span<const float> a, std::span<const float> row, std::span<float> y);

/// Backward of multiply_rows for the row: drow[c] += Σ_p dy[p,c]·a[p,c].
void multiply_rows_backward(std::span<const float> a, std::span<const float> dy,
                            std::span<float> drow);

/// y = min(max(x+3, 0), 6) / 6
void hard_sigmoid(std::span<const float> x, std::span<float> y);

/// dx = dy/6 where −3 < x < 3, else 0.
void hard_sigmoid_backward(std::span<const float> x, std::span<const float> dy,
                           std::span<float> dx);

/// y = x·hard_sigmoid(x)
void hard_swish(std::span<const float> x, std::span<float> y);

/// dx = dy·(2x+3)/6 where −3 < x < 3; dy where x ≥ 3; 0 where x ≤ −3.
void hard_swish_backward(std::span<const float> x, std::span<const float> dy, std::span<float> dx);

/// Backward of y = 1/(1+e^−x), from y: dx = dy·y·(1−y).
void sigmoid_backward(std::span<const float> y, std::span<const float> dy, std::span<float> dx);

/// Backward of the global average pool: dx[p,c] = dy[c] / P.  dy: [C]  dx: [P,C]
void mean_over_pixels_backward(std::span<const float> dy, std::span<float> dx);

}  // namespace engraft
