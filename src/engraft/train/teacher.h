#pragma once

#include <cstddef>
#include <vector>

#include "engraft/graph/surgery.h"
#include "engraft/image/image.h"
#include "engraft/tensor/tensor.h"

namespace engraft {

/// What a layer of a classifier makes of its sums.
enum class TopActivation { kNone, kRelu, kRelu6, kSigmoid, kSoftmax };

/// A layer of a classifier: y = activation(b + xᵀw).
struct TopLayer {
  Tensor kernel;  ///< w [inputs, outputs]
  Tensor bias;    ///< b [outputs]
  TopActivation activation = TopActivation::kNone;
};

/// The layers at a network's end, from its pooled features to its logits, as they are outside of
/// training: without dropout.
struct ClassifierTop {
  std::vector<TopLayer> layers;  ///< at least one; the last one's outputs are the logits
  /// What makes probabilities of the logits: kSoftmax, or kSigmoid of each class by itself.
  TopActivation answers = TopActivation::kSoftmax;
  [[nodiscard]] std::size_t features() const {
    return static_cast<std::size_t>(layers.front().kernel.shape()[0]);
  }
  [[nodiscard]] std::size_t classes() const {
    return static_cast<std::size_t>(layers.back().kernel.shape()[1]);
  }
};

/// A network in the two parts that a student learns from.
struct Teacher {
  Network features;   ///< pixels → pooled features [features]
  Network head;       ///< pooled features → probabilities
  ClassifierTop top;  ///< of the head
};

/// Parts a network, pixels → probabilities, behind its pooled features (kPooledValue). Throws
/// Error(kUsage) for one that has none, Error(kUnsupported) for a head with other layers than dense
/// ones, or without softmax or sigmoid at its end.
[[nodiscard]] Teacher part_teacher(const Network& network);

/// The same layers for pictures of another size: only shapes change. A network whose paddings are
/// TensorFlow's is the one of that size where both sizes are multiples of its total stride (32 for
/// MobileNetV2). Throws Error(kBadInput) where a layer does not fit the size.
[[nodiscard]] Graph at_size(const Graph& graph, Size size);

}  // namespace engraft
