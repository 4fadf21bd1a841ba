#pragma once

#include <cstddef>

#include "engraft/graph/surgery.h"
#include "engraft/image/image.h"
#include "engraft/tensor/tensor.h"

namespace engraft {

/// The linear layer at a classifier's end, before its softmax: z[k] = b[k] + Σ_c f[c]·w[c,k].
struct LinearTop {
  Tensor kernel;  ///< w [features, classes]
  Tensor bias;    ///< b [classes]
  [[nodiscard]] std::size_t features() const { return static_cast<std::size_t>(kernel.shape()[0]); }
  [[nodiscard]] std::size_t classes() const { return static_cast<std::size_t>(kernel.shape()[1]); }
};

/// A network in the two parts that a student learns from.
struct Teacher {
  Network features;  ///< pixels → pooled features [features]
  Network head;      ///< pooled features → probabilities
  LinearTop top;     ///< of the head
};

/// Parts a network, pixels → probabilities, behind its pooled features (kPooledValue). Throws
/// Error(kUsage) for one that has none, Error(kUnsupported) for a head of more than one layer or
/// without softmax.
[[nodiscard]] Teacher part_teacher(const Network& network);

/// The same layers for pictures of another size: only shapes change. A network whose paddings are
/// TensorFlow's is the one of that size where both sizes are multiples of its total stride (32 for
/// MobileNetV2). Throws Error(kBadInput) where a layer does not fit the size.
[[nodiscard]] Graph at_size(const Graph& graph, Size size);

}  // namespace engraft
