#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engraft/train/teacher.h"

namespace engraft {

/// A classifier that stays as it is, with its weights as the kernels read them. Usable from many
/// threads at once; a row has the same bits alone and among others.
class FixedTop {
 public:
  /// Of each layer for the rows of a call: [rows, outputs]. The last are the logits.
  using Outputs = std::vector<std::vector<float>>;

  /// Throws Error(kUsage) where a layer does not take what the one before it gives.
  explicit FixedTop(const ClassifierTop& top);

  [[nodiscard]] std::size_t features() const { return layers_.front().in; }
  [[nodiscard]] std::size_t classes() const { return layers_.back().out; }

  /// x: [rows, features]
  [[nodiscard]] Outputs forward(std::span<const float> x) const;
  /// Gradient by x, overwritten: dx [rows, features]. outputs: of forward(x). dz: the gradient by
  /// the logits, which is lost.
  void backward(const Outputs& outputs, std::span<float> dz, std::span<float> dx) const;

 private:
  struct Layer {
    std::size_t in = 0, out = 0;
    TopActivation activation = TopActivation::kNone;
    Tensor forward, backward;  ///< W and Wᵀ, packed
  };
  std::vector<Layer> layers_;
};

}  // namespace engraft
