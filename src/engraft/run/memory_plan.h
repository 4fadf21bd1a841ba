#pragma once

#include <cstddef>
#include <string>

#include "engraft/run/recipe.h"
#include "engraft/train/fine_tune.h"

namespace engraft {

/// How a training divides its memory.
struct MemoryPlan {
  int micro_batch = 4;         ///< the largest that fits, up to the one asked for
  std::size_t pictures = 0;    ///< bytes for decoded pictures
  std::size_t boundaries = 0;  ///< bytes for what frozen parts make of pictures
  std::string note;            ///< where the micro-batch had to be made smaller
};

/// Bytes is all that the training may take; 0: three quarters of what the machine has left. Throws
/// Error(kUsage) where not even micro-batches of one picture fit, saying how much would.
[[nodiscard]] MemoryPlan plan_memory(const Network& network, const Recipe& recipe,
                                     std::uint64_t bytes, ThreadPool& pool);

}  // namespace engraft
