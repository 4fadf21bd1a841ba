#include "engraft/engine/batch_runner.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace engraft {

struct BatchRunner::Impl {
  Impl(const Graph& graph, const Weights& weights, ThreadPool& threads,
       const ActivationRanges* ranges)
      : plan(Plan::compile(graph, weights, {.batch = kMicroBatch, .threads = 1, .ranges = ranges})),
        pool(threads),
        workspaces(static_cast<std::size_t>(threads.threads())) {}

  void run_micro_batch(std::size_t first, std::size_t count, int worker, const Fill& fill,
                       const Take& take);

  Plan plan;
  ThreadPool& pool;
  std::vector<std::optional<Plan::Workspace>> workspaces;  ///< of each worker
};

void BatchRunner::Impl::run_micro_batch(std::size_t first, std::size_t count, int worker,
                                        const Fill& fill, const Take& take) {
  auto& workspace = workspaces[static_cast<std::size_t>(worker)];
  if (!workspace) workspace = plan.make_workspace();
  const std::span<float> input = plan.input(*workspace);
  std::array<bool, kMicroBatch> filled{};
  for (std::size_t slot = 0; slot < kMicroBatch; ++slot) {
    const std::span<float> picture = input.subspan(slot * plan.input_size(), plan.input_size());
    filled[slot] = slot < count && fill(first + slot, picture);
    // An empty place is computed like any other; zeros are as good as anything and never slow.
    if (!filled[slot]) std::fill(picture.begin(), picture.end(), 0.0f);
  }
  if (std::none_of(filled.begin(), filled.end(), [](bool is) { return is; })) return;
  const std::span<const float> output = plan.forward(*workspace);
  for (std::size_t slot = 0; slot < kMicroBatch; ++slot) {
    if (!filled[slot]) continue;
    take(first + slot, output.subspan(slot * plan.output_size(), plan.output_size()));
  }
}

BatchRunner::BatchRunner(const Graph& graph, const Weights& weights, ThreadPool& pool,
                         const ActivationRanges* ranges)
    : impl_(std::make_unique<Impl>(graph, weights, pool, ranges)) {}
BatchRunner::~BatchRunner() = default;

void BatchRunner::run(std::size_t count, const Fill& fill, const Take& take) {
  const std::size_t micro_batches = (count + kMicroBatch - 1) / kMicroBatch;
  impl_->pool.for_each(micro_batches, [&](std::size_t index, int worker) {
    const std::size_t first = index * kMicroBatch;
    impl_->run_micro_batch(first, std::min<std::size_t>(kMicroBatch, count - first), worker, fill,
                           take);
  });
}

}  // namespace engraft
