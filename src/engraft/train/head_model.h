#pragma once

#include <span>
#include <vector>

#include "engraft/train/dense_layer.h"
#include "engraft/train/head.h"
#include "engraft/train/loss.h"

namespace engraft {

/// The trainable part of a head: one dense layer (linear) or two with a ReLU between them (mlp).
/// The last layer gives the logits.
template <typename T>
using HeadLayers = std::vector<DenseParameters<T>>;

/// What the forward pass of a batch leaves for the backward pass. H: hidden units, K: logits.
template <typename T>
struct HeadActivations {
  std::vector<T> hidden;         ///< [rows,H], after ReLU and dropout
  std::vector<T> logits;         ///< [rows,K]
  std::vector<T> probabilities;  ///< [rows,K]
  std::vector<T> d_logits;       ///< [rows,K]
  std::vector<T> d_hidden;       ///< [rows,H]
};

/// Which loss, and how its target is made.
struct LossSpec {
  LossKind kind = LossKind::kSoftmax;
  float label_smoothing = 0;
};

/// Logits of rows of features x [rows,F]. mask [rows,H] multiplies the hidden values (dropout:
/// 0 or 1/(1-rate)); empty: no dropout.
template <typename T>
void head_forward(const HeadLayers<T>& layers, std::span<const T> x, std::span<const T> mask,
                  HeadActivations<T>& activations) {
  const std::size_t rows = x.size() / layers.front().shape.in;
  activations.logits.resize(rows * layers.back().shape.out);
  if (layers.size() == 1) {
    dense::forward<T>(layers[0], x, activations.logits);
    return;
  }
  activations.hidden.resize(rows * layers[0].shape.out);
  dense::forward<T>(layers[0], x, activations.hidden);
  for (T& h : activations.hidden) h = loss::real_part(h) > 0 ? h : T(0);
  for (std::size_t i = 0; i < mask.size(); ++i) activations.hidden[i] *= mask[i];
  dense::forward<T>(layers[1], activations.hidden, activations.logits);
}

/// Σ_b weights[b]·L(logits of row b, labels[b]); fills probabilities and d_logits with it.
template <typename T>
T head_loss(const LossSpec& spec, std::span<const int> labels, std::span<const float> weights,
            HeadActivations<T>& activations) {
  using Real = decltype(loss::real_part(T()));
  const std::size_t units = activations.logits.size() / labels.size();
  activations.probabilities.resize(activations.logits.size());
  activations.d_logits.resize(activations.logits.size());
  T total(0);
  for (std::size_t b = 0; b < labels.size(); ++b) {
    const std::span<const T> z(activations.logits.data() + b * units, units);
    const std::span<T> p(activations.probabilities.data() + b * units, units);
    const std::span<T> dz(activations.d_logits.data() + b * units, units);
    const Real smoothing = static_cast<Real>(spec.label_smoothing);
    const Real weight = static_cast<Real>(weights[b]);
    total += weight * (spec.kind == LossKind::kSoftmax
                           ? loss::softmax_cross_entropy<T>(z, labels[b], smoothing, p, dz)
                           : loss::sigmoid_cross_entropy<T>(z, labels[b], smoothing, p, dz));
    for (T& d : dz) d *= weight;
  }
  return total;
}

/// Gradients of head_loss in the layers' parameters; x and mask as in the forward pass.
template <typename T>
void head_backward(const HeadLayers<T>& layers, std::span<const T> x, std::span<const T> mask,
                   HeadActivations<T>& activations, HeadLayers<T>& gradients) {
  if (layers.size() == 1) {
    dense::backward_parameters<T>(x, activations.d_logits, gradients[0]);
    return;
  }
  auto& dh = activations.d_hidden;
  dh.resize(activations.hidden.size());
  dense::backward_parameters<T>(activations.hidden, activations.d_logits, gradients[1]);
  dense::backward_input<T>(layers[1], activations.d_logits, dh);
  for (std::size_t i = 0; i < mask.size(); ++i) dh[i] *= mask[i];
  for (std::size_t i = 0; i < dh.size(); ++i) {
    if (!(loss::real_part(activations.hidden[i]) > 0)) dh[i] = T(0);
  }
  dense::backward_parameters<T>(x, dh, gradients[0]);
}

}  // namespace engraft
