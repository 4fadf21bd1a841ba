#include "engraft/engine/training/gradient_runner.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "engraft/base/arena.h"
#include "engraft/kernels/elementwise.h"

namespace engraft {
namespace {

/// Values that a worker sums at a time: a slice of every micro-batch's gradient stays in its cache.
constexpr std::size_t kSlice = 1 << 14;

}  // namespace

struct GradientRunner::Impl {
  Impl(const Graph& graph, const GradientOptions& given, ThreadPool& threads)
      : options(given), plan(graph, given.plan), pool(threads) {}

  [[nodiscard]] std::size_t micro_batches(std::size_t pictures) const {
    const auto size = static_cast<std::size_t>(plan.micro_batch());
    return (pictures + size - 1) / size;
  }
  /// One for each worker; with trainable batch norm, whose micro-batches wait for each other, one
  /// for each micro-batch.
  [[nodiscard]] std::size_t workspace_count(std::size_t pictures) const {
    const std::size_t all = micro_batches(pictures);
    if (plan.segments() > 1) return all;
    return std::min(all, static_cast<std::size_t>(pool.threads()));
  }

  void prepare(std::size_t pictures);
  void run_whole(const GradientBatch& batch);
  void run_in_segments(const GradientBatch& batch, std::span<float> statistics);
  void fill(const GradientBatch& batch, const LayerRun& run, TrainingPlan::Workspace& workspace);
  void loss(const GradientBatch& batch, const LayerRun& run, TrainingPlan::Workspace& workspace);
  [[nodiscard]] LayerRun layer_run(const GradientBatch& batch, std::size_t index);
  void clear_sums();
  [[nodiscard]] std::span<const double> add_sums();
  void add_gradients();

  GradientOptions options;
  TrainingPlan plan;
  ThreadPool& pool;
  std::vector<std::optional<TrainingPlan::Workspace>> workspaces;
  std::vector<Arena> gradients;  ///< of each micro-batch, raw
  std::size_t count = 0;         ///< micro-batches of the batch at hand
  std::vector<double> sums;      ///< of each micro-batch
};

void GradientRunner::Impl::prepare(std::size_t pictures) {
  count = micro_batches(pictures);
  while (gradients.size() < count) gradients.emplace_back(plan.raw_gradient_size() * sizeof(float));
  const std::size_t places = plan.segments() > 1 ? count : static_cast<std::size_t>(pool.threads());
  if (workspaces.size() < places) workspaces.resize(places);
  sums.assign(count * plan.sum_count(), 0.0);
}

LayerRun GradientRunner::Impl::layer_run(const GradientBatch& batch, std::size_t index) {
  const auto size = static_cast<std::size_t>(plan.micro_batch());
  const std::size_t first = index * size;
  return {.gradients = reinterpret_cast<float*>(gradients[index].data()),
          .first = first,
          .pictures = static_cast<int>(std::min(size, batch.pictures - first)),
          .dropout = batch.dropout ? &batch.dropout : nullptr,
          .sums = sums.data() + index * plan.sum_count()};
}

void GradientRunner::Impl::fill(const GradientBatch& batch, const LayerRun& run,
                                TrainingPlan::Workspace& workspace) {
  std::fill_n(run.gradients, plan.raw_gradient_size(), 0.0f);
  const std::span<float> input = plan.input(workspace);
  const std::size_t size = plan.input_size();
  for (std::size_t p = 0; p < static_cast<std::size_t>(plan.micro_batch()); ++p) {
    const std::span<float> picture = input.subspan(p * size, size);
    if (p < static_cast<std::size_t>(run.pictures)) {
      batch.fill(run.first + p, picture);
    } else {
      std::ranges::fill(picture, 0.0f);
    }
  }
}

void GradientRunner::Impl::loss(const GradientBatch& batch, const LayerRun& run,
                                TrainingPlan::Workspace& workspace) {
  const std::size_t size = plan.output_size();
  const std::span<const float> output = plan.output(workspace);
  const std::span<float> d_output = plan.d_output(workspace);
  std::ranges::fill(d_output, 0.0f);
  if (batch.losses) {
    const std::size_t values = static_cast<std::size_t>(run.pictures) * size;
    return batch.losses(run.first, output.first(values), d_output.first(values));
  }
  for (std::size_t p = 0; p < static_cast<std::size_t>(run.pictures); ++p) {
    batch.loss(run.first + p, output.subspan(p * size, size), d_output.subspan(p * size, size));
  }
}

void GradientRunner::Impl::run_whole(const GradientBatch& batch) {
  pool.for_each(count, [&](std::size_t index, int worker) {
    auto& workspace = workspaces[static_cast<std::size_t>(worker)];
    if (!workspace) workspace = plan.make_workspace();
    const LayerRun run = layer_run(batch, index);
    fill(batch, run, *workspace);
    plan.forward(0, *workspace, run);
    loss(batch, run, *workspace);
    plan.backward(0, *workspace, run);
  });
}

void GradientRunner::Impl::run_in_segments(const GradientBatch& batch,
                                           std::span<float> statistics) {
  for (int segment = 0; segment < plan.segments(); ++segment) {
    clear_sums();
    pool.for_each(count, [&](std::size_t index, int) {
      auto& workspace = workspaces[index];
      const LayerRun run = layer_run(batch, index);
      if (segment == 0) {
        if (!workspace) workspace = plan.make_workspace();
        fill(batch, run, *workspace);
      }
      plan.forward(segment, *workspace, run);
      if (segment + 1 == plan.segments()) loss(batch, run, *workspace);
    });
    if (SynchronisedLayer* layer = plan.synchronised_forward(segment)) {
      const Step& step = plan.synchronised_step(segment);
      layer->finish_forward(add_sums(), batch.pictures,
                            {.mean = plan.statistics().of(statistics, step.parameters[2]),
                             .variance = plan.statistics().of(statistics, step.parameters[3]),
                             .momentum = options.statistics_momentum});
    }
  }
  for (int segment = 0; segment < plan.segments(); ++segment) {
    clear_sums();
    pool.for_each(count, [&](std::size_t index, int) {
      plan.backward(segment, *workspaces[index], layer_run(batch, index));
    });
    if (SynchronisedLayer* layer = plan.synchronised_backward(segment)) {
      layer->finish_backward(add_sums(), batch.pictures,
                             reinterpret_cast<float*>(gradients[0].data()));
    }
  }
}

void GradientRunner::Impl::clear_sums() {
  std::ranges::fill(sums, 0.0);
}

/// The sums of all micro-batches, in their order; few numbers, so one thread adds them.
std::span<const double> GradientRunner::Impl::add_sums() {
  const std::size_t size = plan.sum_count();
  for (std::size_t index = 1; index < count; ++index) {
    for (std::size_t i = 0; i < size; ++i) sums[i] += sums[index * size + i];
  }
  return std::span<const double>(sums).first(size);
}

/// Into the first, pair by pair, pairs of pairs, and so on: a tree that the number of threads does
/// not change.
void GradientRunner::Impl::add_gradients() {
  const std::size_t size = plan.raw_gradient_size();
  pool.for_each((size + kSlice - 1) / kSlice, [&](std::size_t slice, int) {
    const std::size_t begin = slice * kSlice;
    const std::size_t length = std::min(kSlice, size - begin);
    const auto part = [&](std::size_t index) {
      return std::span(reinterpret_cast<float*>(gradients[index].data()) + begin, length);
    };
    for (std::size_t stride = 1; stride < count; stride *= 2) {
      for (std::size_t i = 0; i + stride < count; i += 2 * stride) {
        add_to(part(i + stride), part(i));
      }
    }
  });
}

GradientRunner::GradientRunner(const Graph& graph, const GradientOptions& options, ThreadPool& pool)
    : impl_(std::make_unique<Impl>(graph, options, pool)) {}
GradientRunner::~GradientRunner() = default;

const ParameterLayout& GradientRunner::parameters() const {
  return impl_->plan.parameters();
}
const ParameterLayout& GradientRunner::statistics() const {
  return impl_->plan.statistics();
}

std::size_t GradientRunner::memory_bytes(std::size_t pictures) const {
  return impl_->workspace_count(pictures) * impl_->plan.workspace_bytes() +
         impl_->micro_batches(pictures) * impl_->plan.raw_gradient_size() * sizeof(float);
}

void GradientRunner::run(std::span<const float> parameters, std::span<float> statistics,
                         const GradientBatch& batch, std::span<float> gradient) {
  if (batch.pictures == 0) {
    std::ranges::fill(gradient, 0.0f);
    return;
  }
  impl_->plan.set_parameters({parameters, statistics}, impl_->pool);
  impl_->prepare(batch.pictures);
  if (impl_->plan.segments() == 1) {
    impl_->run_whole(batch);
  } else {
    impl_->run_in_segments(batch, statistics);
  }
  impl_->add_gradients();
  const std::span raw(reinterpret_cast<const float*>(impl_->gradients[0].data()),
                      impl_->plan.raw_gradient_size());
  impl_->plan.finish_gradient({parameters, statistics}, raw, gradient, impl_->pool);
}

}  // namespace engraft
