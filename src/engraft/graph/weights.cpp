#include "engraft/graph/weights.h"

#include <fmt/format.h>

#include "engraft/base/error.h"

namespace engraft {

void Weights::set(std::string name, Tensor value) {
  set(std::move(name), std::make_shared<const Tensor>(std::move(value)));
}

void Weights::set(std::string name, std::shared_ptr<const Tensor> value) {
  tensors_.insert_or_assign(std::move(name), std::move(value));
}

const Tensor& Weights::at(const std::string& name) const {
  return *share(name);
}

std::shared_ptr<const Tensor> Weights::share(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw Error(ErrorKind::kNotFound, fmt::format("there is no parameter named {}", name));
  }
  return found->second;
}

std::int64_t Weights::count() const {
  std::int64_t total = 0;
  for (const auto& [name, tensor] : tensors_) total += static_cast<std::int64_t>(tensor->size());
  return total;
}

}  // namespace engraft
