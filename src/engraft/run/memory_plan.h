#pragma once

#include <cstddef>
#include <string>

#include "engraft/run/recipe.h"
#include "engraft/train/fine_tune.h"

namespace engraft {

/// Whether a plan may have smaller micro-batches than the recipe: they decide the last bits, so
/// that a run that goes on keeps to those it had.
enum class MicroBatch { kUpTo, kExactly };

/// How a training divides its memory.
struct MemoryPlan {
  int micro_batch = 4;         ///< the largest that fits, up to the one asked for
  std::size_t pictures = 0;    ///< bytes for decoded pictures
  std::size_t boundaries = 0;  ///< bytes for what frozen parts make of pictures
  std::string note;            ///< where the micro-batch had to be made smaller
};

/// Bytes is all that the training may take; 0: three quarters of what the machine has left. Throws
/// Error(kUsage) where no micro-batch that may be fits, saying how much memory would do.
[[nodiscard]] MemoryPlan plan_memory(const Network& network, const Recipe& recipe,
                                     std::uint64_t bytes, ThreadPool& pool,
                                     MicroBatch micro_batch = MicroBatch::kUpTo);

}  // namespace engraft
