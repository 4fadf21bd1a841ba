#pragma once

#include <span>

namespace engraft {

/// Where an activation lets the gradient pass, seen from the output y that it stored.
enum class Gate {
  kOpen,   ///< everywhere (no activation)
  kRelu,   ///< y > 0
  kRelu6,  ///< 0 < y < 6
};

/// dy[i] = 0 wherever the gate is closed at y[i]; in place. y and dy are of one size. A NaN in y
/// leaves the gate open, so that it shows.
void gate_gradient(Gate gate, std::span<const float> y, std::span<float> dy);

}  // namespace engraft
