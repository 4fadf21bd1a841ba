#include "engraft/run/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"
#include "engraft/base/memory.h"

namespace engraft {
namespace {

/// More is of no use: an epoch of a few thousand photos.
constexpr std::uint64_t kMostPictures = std::uint64_t{2} << 30;
constexpr std::uint64_t kMostBoundaries = std::uint64_t{4} << 30;
/// The program itself, the inference engine, features, the report.
constexpr std::uint64_t kRest = std::uint64_t{150} << 20;

std::uint64_t megabytes(std::uint64_t bytes) {
  return (bytes + (1 << 20) - 1) >> 20;
}

std::uint64_t need(const Network& network, FineTuneOptions options, int micro_batch,
                   ThreadPool& pool) {
  options.micro_batch = micro_batch;
  return training_memory(network, options, pool) + kRest;
}

}  // namespace

MemoryPlan plan_memory(const Network& network, const Recipe& recipe, std::uint64_t bytes,
                       ThreadPool& pool, MicroBatch micro_batch) {
  MemoryPlan plan;
  if (!recipe.tuning) return plan;
  const std::uint64_t limit = bytes > 0 ? bytes : available_memory() / 4 * 3;
  const int wanted = recipe.tuning->micro_batch;
  plan.micro_batch = wanted;
  std::uint64_t needed = need(network, *recipe.tuning, wanted, pool);
  std::uint64_t least = needed;  // smaller is not always less: gradients are kept for each
  while (micro_batch == MicroBatch::kUpTo && needed > limit && plan.micro_batch > 1) {
    plan.micro_batch /= 2;
    needed = need(network, *recipe.tuning, plan.micro_batch, pool);
    least = std::min(least, needed);
  }
  if (needed > limit) {
    throw Error(ErrorKind::kUsage,
                fmt::format("fine-tuning needs {} MB of memory and may take {} MB; allow more with "
                            "--memory, or use fewer --threads{}",
                            megabytes(least), megabytes(limit),
                            micro_batch == MicroBatch::kUpTo ? " or a smaller --tune-batch" : ""));
  }
  if (plan.micro_batch < wanted) {
    plan.note = fmt::format("Micro-batches of {} instead of {} pictures, to fit into {} MB.",
                            plan.micro_batch, wanted, megabytes(limit));
  }
  const std::uint64_t left = limit - needed;
  plan.pictures = std::min(left / 3, kMostPictures);
  plan.boundaries = std::min(left / 2, kMostBoundaries);
  return plan;
}

}  // namespace engraft
