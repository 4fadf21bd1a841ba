#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engraft/base/rng.h"

namespace engraft::test {

/// Standard normal values, the same for the same seed.
template <typename T = float>
[[nodiscard]] std::vector<T> random_values(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(rng.normal());
  return values;
}

}  // namespace engraft::test
