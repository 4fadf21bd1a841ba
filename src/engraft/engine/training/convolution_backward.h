#pragma once

#include <cstddef>
#include <memory>

#include "engraft/graph/graph.h"
#include "engraft/tensor/tensor.h"

namespace engraft {

/// A convolution's backward pass for so many pictures at a time, by oneDNN. Usable from many
/// threads at once, each with scratch of its own.
class ConvolutionBackward {
 public:
  struct Spec {
    Shape input, output;  ///< of one picture, [H,W,C]
    Attributes attributes;
    int pictures = 1;
  };
  /// Throws Error(kUnsupported) where oneDNN has no way to compute it.
  explicit ConvolutionBackward(const Spec& spec);
  ~ConvolutionBackward();

  [[nodiscard]] std::size_t scratch_bytes() const;
  /// kernel: [k,k,Cin,Cout]. Not while another thread uses it.
  void set_kernel(const Tensor& kernel);
  /// dw [k,k,Cin,Cout] += x ⋆ dy;  db [Cout] += Σ dy unless null.
  void add_weight_gradient(const float* x, const float* dy, float* dw, float* db,
                           std::byte* scratch) const;
  /// dx = dy convolved with the turned kernel.
  void input_gradient(const float* dy, float* dx, std::byte* scratch) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engraft
