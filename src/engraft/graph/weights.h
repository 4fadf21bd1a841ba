#pragma once

#include <map>
#include <memory>
#include <string>

#include "engraft/base/hash.h"
#include "engraft/tensor/tensor.h"

namespace engraft {

/// Parameters by name ("Conv1/kernel", "bn_Conv1/gamma"). Tensors are shared, not copied, between
/// Weights: a head grafted on a base reuses the base's memory.
class Weights {
 public:
  void set(std::string name, Tensor value);
  void set(std::string name, std::shared_ptr<const Tensor> value);
  [[nodiscard]] bool contains(const std::string& name) const { return tensors_.contains(name); }
  /// Throws Error(kNotFound) naming the parameter.
  [[nodiscard]] const Tensor& at(const std::string& name) const;
  [[nodiscard]] std::shared_ptr<const Tensor> share(const std::string& name) const;
  [[nodiscard]] const std::map<std::string, std::shared_ptr<const Tensor>>& all() const {
    return tensors_;
  }
  /// Number of values in all parameters.
  [[nodiscard]] std::int64_t count() const;

 private:
  std::map<std::string, std::shared_ptr<const Tensor>> tensors_;
};

}  // namespace engraft
