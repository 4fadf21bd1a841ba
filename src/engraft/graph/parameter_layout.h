#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/graph/graph.h"
#include "engraft/graph/weights.h"

namespace engraft {

/// Parameters one behind the other in one flat array, the form in which optimizers, averages and
/// checkpoints take a network.
class ParameterLayout {
 public:
  struct Slot {
    std::string name;
    Shape shape;
    std::size_t offset = 0;  ///< of its first value in the array
    std::size_t size = 0;
  };

  ParameterLayout() = default;
  /// Appends a parameter; one that is there already stays where it is.
  void append(const std::string& name, const Shape& shape);

  [[nodiscard]] const std::vector<Slot>& slots() const { return slots_; }
  /// Values in the array.
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool contains(const std::string& name) const { return index_.contains(name); }
  /// Throws Error(kNotFound) naming the parameter.
  [[nodiscard]] const Slot& at(const std::string& name) const;

  /// The part of `flat` that holds a parameter; empty for an empty name.
  [[nodiscard]] std::span<float> of(std::span<float> flat, const std::string& name) const;
  [[nodiscard]] std::span<const float> of(std::span<const float> flat,
                                          const std::string& name) const;

  /// The array of these weights' values. Throws Error(kNotFound) for a parameter that they lack,
  /// Error(kBadInput) for one of another shape.
  [[nodiscard]] std::vector<float> gather(const Weights& weights) const;
  /// Sets each parameter of `weights` to a copy of its part of `flat`.
  void scatter(std::span<const float> flat, Weights& weights) const;

 private:
  std::vector<Slot> slots_;
  std::map<std::string, std::size_t> index_;
  std::size_t size_ = 0;
};

/// What gradients change: every parameter but batch norm's moving statistics, in the order of the
/// graph's nodes.
[[nodiscard]] ParameterLayout trainable_parameters(const Graph& graph);

/// Batch norm's moving mean and variance.
[[nodiscard]] ParameterLayout moving_statistics(const Graph& graph);

}  // namespace engraft
