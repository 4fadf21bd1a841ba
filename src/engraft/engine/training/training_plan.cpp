#include "engraft/engine/training/training_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/engine/block_fusion.h"
#include "engraft/engine/openmp_threads.h"
#include "engraft/engine/stages.h"
#include "engraft/engine/training/training_plan_impl.h"

namespace engraft {
namespace {

constexpr int kMaxMicroBatch = 1 << 10;

FoldedGraph graph_of(const Graph& graph, BatchNormMode mode) {
  if (mode == BatchNormMode::kTrainable) return {.graph = graph, .foldings = {}};
  return fold_batch_norm(graph, DropoutNodes::kKeep);
}

std::vector<int> batch_norm_steps(const StepList& list) {
  std::vector<int> steps;
  for (int i = 0; i < static_cast<int>(list.steps.size()); ++i) {
    if (list.steps[static_cast<std::size_t>(i)].op == Op::kBatchNorm) steps.push_back(i);
  }
  return steps;
}

/// Divides stages at the given steps: each begins a group.
std::vector<TrainingGroup> divide(const std::vector<Stage>& stages, const std::vector<int>& at) {
  std::vector<TrainingGroup> groups;
  for (const Stage& stage : stages) {
    int first = stage.first;
    for (const int border : at) {
      if (border <= first || border >= stage.last) continue;
      groups.push_back({.first = first, .last = border, .pictures = stage.pictures});
      first = border;
    }
    groups.push_back({.first = first, .last = stage.last, .pictures = stage.pictures});
  }
  return groups;
}

}  // namespace

TrainingPlan::Impl::Impl(const Graph& given, const TrainingPlanOptions& given_options)
    : options(given_options),
      folded(graph_of(given, given_options.batch_norm)),
      parameters(trainable_parameters(given)),
      statistics(moving_statistics(given)),
      raw(trainable_parameters(folded.graph)),
      list(fuse_blocks(lower(folded.graph, LowerFor::kTraining), folded.graph,
                       LowerFor::kTraining)) {
  if (options.micro_batch < 1 || options.micro_batch > kMaxMicroBatch) {
    throw Error(ErrorKind::kUsage, fmt::format("micro-batches of {} pictures; 1 to {} are possible",
                                               options.micro_batch, kMaxMicroBatch));
  }
  if (list.steps.empty()) throw Error(ErrorKind::kUsage, "a graph without steps cannot be trained");
  flow = find_gradient_flow(list, folded.graph.value_count());
  if (options.batch_norm == BatchNormMode::kTrainable) norms = batch_norm_steps(list);
  make_groups();
  make_layers();
  folding_groups = groups_of_foldings();
}

void TrainingPlan::Impl::make_groups() {
  std::vector<Stage> stages = split_into_stages(list, folded.graph, options.micro_batch);
  // A batch norm gathers in the group before its own; both work on chunks of one size.
  while (stages.size() > 1 && std::ranges::binary_search(norms, stages[0].last)) {
    ++stages[0].last;
    if (++stages[1].first == stages[1].last) stages.pop_back();
  }
  std::vector<int> behind = norms;
  for (int& step : behind) ++step;
  forward_groups = divide(stages, norms);
  backward_groups = divide(stages, behind);
}

const TrainingGroup& TrainingPlan::Impl::group_of(int step) const {
  return *std::ranges::find_if(forward_groups,
                               [&](const TrainingGroup& group) { return step < group.last; });
}

void TrainingPlan::Impl::make_layers() {
  const OpenMpThreads threads(1);
  std::vector<std::size_t> scratch, state;
  int dropouts = 0;
  for (int i = 0; i < static_cast<int>(list.steps.size()); ++i) {
    const Step& step = list.steps[static_cast<std::size_t>(i)];
    const StepGradients& gradients = flow.steps[static_cast<std::size_t>(i)];
    layers.push_back(make_layer({.step = step,
                                 .input = folded.graph.shape(step.input),
                                 .second = folded.graph.shape(step.addend.value_or(step.input)),
                                 .output = folded.graph.shape(step.output),
                                 .pictures = group_of(i).pictures,
                                 .output_gate = gradients.output_gate,
                                 .input_gate = gradients.input_gate,
                                 .d_input = gradients.d_input,
                                 .d_second = gradients.d_second,
                                 .batch_norm = options.batch_norm,
                                 .parameters = raw,
                                 .dropout_layer = step.op == Op::kDropout ? dropouts++ : 0}));
    layer_parameters.emplace_back(step, raw, statistics);
    scratch.push_back(layers.back()->scratch_bytes());
    state.push_back(layers.back()->state_bytes());
    if (auto* layer = layers.back()->synchronised()) {
      sum_count = std::max(sum_count, layer->sum_count());
    }
  }
  layout = TrainingLayout({.list = list,
                           .graph = folded.graph,
                           .flow = flow,
                           .forward = forward_groups,
                           .backward = backward_groups,
                           .scratch_bytes = scratch,
                           .state_bytes = state,
                           .micro_batch = options.micro_batch});
}

LayerBuffers TrainingPlan::Impl::buffers(int index, int picture, std::byte* memory) const {
  const auto i = static_cast<std::size_t>(index);
  const Step& step = list.steps[i];
  const StepGradients& gradients = flow.steps[i];
  const auto value = [&](ValueId v) {
    return reinterpret_cast<float*>(memory + layout.value_offset(v, picture));
  };
  const auto gradient = [&](ValueId v, InputGradient mode) -> float* {
    if (mode == InputGradient::kNone) return nullptr;
    return reinterpret_cast<float*>(memory + layout.gradient_offset(v, picture));
  };
  return {.x = value(step.input),
          .second = step.addend ? value(*step.addend) : nullptr,
          .y = value(step.output),
          .dy = gradient(step.output, InputGradient::kWrite),
          .dx = gradient(step.input, gradients.d_input),
          .d_second = step.addend ? gradient(*step.addend, gradients.d_second) : nullptr,
          .scratch = memory + layout.scratch_offset(index),
          .state = memory + layout.state_offset(index, picture / group_of(index).pictures),
          .first_picture = picture};
}

TrainingPlan::TrainingPlan(const Graph& graph, const TrainingPlanOptions& options)
    : impl_(std::make_unique<Impl>(graph, options)) {}
TrainingPlan::~TrainingPlan() = default;
TrainingPlan::TrainingPlan(TrainingPlan&&) noexcept = default;
TrainingPlan& TrainingPlan::operator=(TrainingPlan&&) noexcept = default;

TrainingPlan::Workspace::Workspace() = default;
TrainingPlan::Workspace::~Workspace() = default;
TrainingPlan::Workspace::Workspace(Workspace&&) noexcept = default;
TrainingPlan::Workspace& TrainingPlan::Workspace::operator=(Workspace&&) noexcept = default;

int TrainingPlan::micro_batch() const {
  return impl_->options.micro_batch;
}
std::size_t TrainingPlan::input_size() const {
  return static_cast<std::size_t>(impl_->folded.graph.shape(impl_->list.input).elements());
}
std::size_t TrainingPlan::output_size() const {
  return static_cast<std::size_t>(impl_->folded.graph.shape(impl_->list.output).elements());
}
std::size_t TrainingPlan::workspace_bytes() const {
  return impl_->layout.bytes();
}
const ParameterLayout& TrainingPlan::parameters() const {
  return impl_->parameters;
}
const ParameterLayout& TrainingPlan::statistics() const {
  return impl_->statistics;
}
std::size_t TrainingPlan::raw_gradient_size() const {
  return impl_->raw.size();
}
std::size_t TrainingPlan::sum_count() const {
  return impl_->sum_count;
}

TrainingPlan::Workspace TrainingPlan::make_workspace() const {
  Workspace made;
  made.impl_ = std::make_unique<Workspace::Impl>();
  made.impl_->arena = Arena(impl_->layout.bytes());
  std::byte* const memory = made.impl_->arena.data();
  made.impl_->layers.resize(impl_->layers.size());
  for (int i = 0; i < static_cast<int>(impl_->layers.size()); ++i) {
    const TrainingGroup& group = impl_->group_of(i);
    auto& bound = made.impl_->layers[static_cast<std::size_t>(i)];
    impl_->for_each_chunk(group, [&](int chunk) {
      bound.push_back(impl_->layers[static_cast<std::size_t>(i)]->bind(
          impl_->buffers(i, chunk * group.pictures, memory)));
    });
  }
  return made;
}

namespace {

std::span<float> floats(std::byte* at, std::size_t count) {
  return {reinterpret_cast<float*>(at), count};
}

}  // namespace

std::span<float> TrainingPlan::input(Workspace& workspace) const {
  return floats(workspace.impl_->arena.data() + impl_->layout.value_offset(impl_->list.input, 0),
                input_size() * static_cast<std::size_t>(micro_batch()));
}
std::span<float> TrainingPlan::output(Workspace& workspace) const {
  return floats(workspace.impl_->arena.data() + impl_->layout.value_offset(impl_->list.output, 0),
                output_size() * static_cast<std::size_t>(micro_batch()));
}
std::span<float> TrainingPlan::d_output(Workspace& workspace) const {
  return floats(
      workspace.impl_->arena.data() + impl_->layout.gradient_offset(impl_->list.output, 0),
      output_size() * static_cast<std::size_t>(micro_batch()));
}

int TrainingPlan::segments() const {
  return static_cast<int>(impl_->norms.size()) + 1;
}

void TrainingPlan::forward(int segment, Workspace& workspace, const LayerRun& run) const {
  const OpenMpThreads threads(1);
  const Impl& impl = *impl_;
  const int steps = static_cast<int>(impl.list.steps.size());
  const bool last = segment + 1 == segments();
  const int begin = segment == 0 ? 0 : impl.gathered(segment - 1);
  const int end = last ? steps : impl.gathered(segment);
  auto& layers = workspace.impl_->layers;
  for (const TrainingGroup& group : impl.forward_groups) {
    if (group.first < begin || group.first >= end) continue;
    const bool gathers = !last && group.last == end;
    impl.for_each_chunk(group, [&](int chunk) {
      const auto c = static_cast<std::size_t>(chunk);
      for (int i = group.first; i < group.last; ++i) {
        layers[static_cast<std::size_t>(i)][c]->forward(run);
      }
      if (gathers) layers[static_cast<std::size_t>(end)][c]->gather_forward(run);
    });
  }
  // A batch norm that reads the graph's input has no step before it.
  if (!last && begin == end) {
    for (const auto& layer : layers[static_cast<std::size_t>(end)]) layer->gather_forward(run);
  }
}

void TrainingPlan::backward(int segment, Workspace& workspace, const LayerRun& run) const {
  const OpenMpThreads threads(1);
  const Impl& impl = *impl_;
  const int steps = static_cast<int>(impl.list.steps.size());
  const int above = segments() - 1 - segment;  ///< the norm that this segment begins with, plus one
  const int end = segment == 0 ? steps : impl.gathered(above) + 1;
  const bool last = segment + 1 == segments();
  const int begin = last ? 0 : impl.gathered(above - 1) + 1;
  auto& layers = workspace.impl_->layers;
  bool has_gathered = last;
  for (std::size_t g = impl.backward_groups.size(); g-- > 0;) {
    const TrainingGroup& group = impl.backward_groups[g];
    if (group.first < begin || group.last > end) continue;
    // The norm before this group has other chunks where a stage of the plan begins between them.
    const bool gathers =
        !last && group.first == begin && impl.group_of(begin - 1).pictures == group.pictures;
    has_gathered |= gathers;
    impl.for_each_chunk(group, [&](int chunk) {
      const auto c = static_cast<std::size_t>(chunk);
      for (int i = group.last - 1; i >= group.first; --i) {
        layers[static_cast<std::size_t>(i)][c]->backward(run);
      }
      if (gathers) layers[static_cast<std::size_t>(begin - 1)][c]->gather_backward(run);
    });
  }
  // Nor has a batch norm that makes the graph's output a step behind it.
  if (!has_gathered) {
    for (const auto& layer : layers[static_cast<std::size_t>(begin - 1)]) {
      layer->gather_backward(run);
    }
  }
}

SynchronisedLayer* TrainingPlan::synchronised_forward(int segment) const {
  if (segment + 1 == segments()) return nullptr;
  return impl_->layers[static_cast<std::size_t>(impl_->gathered(segment))]->synchronised();
}

SynchronisedLayer* TrainingPlan::synchronised_backward(int segment) const {
  if (segment + 1 == segments()) return nullptr;
  const int norm = impl_->gathered(segments() - 2 - segment);
  return impl_->layers[static_cast<std::size_t>(norm)]->synchronised();
}

const Step& TrainingPlan::synchronised_step(int segment) const {
  return impl_->list.steps[static_cast<std::size_t>(impl_->gathered(segment))];
}

}  // namespace engraft
