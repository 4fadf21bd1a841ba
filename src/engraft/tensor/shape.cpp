#include "engraft/tensor/shape.h"

#include <stdexcept>

#include "engraft/base/error.h"

namespace engraft {

std::int64_t Shape::operator[](int axis) const {
  return extents_.at(static_cast<std::size_t>(axis < 0 ? axis + rank() : axis));
}

std::int64_t Shape::elements() const {
  constexpr std::int64_t kLimit = std::int64_t{1} << 48;
  std::int64_t product = 1;
  for (const std::int64_t extent : extents_) {
    if (extent < 0 || (extent > 0 && product > kLimit / extent)) {
      throw Error(ErrorKind::kBadInput, "shape " + to_string() + " is negative or too large");
    }
    product *= extent;
  }
  return product;
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (std::size_t i = 0; i < extents_.size(); ++i)
    text += (i ? "," : "") + std::to_string(extents_[i]);
  return text + "]";
}

}  // namespace engraft
