#include "engraft/engine/plan.h"

#include <fmt/format.h>

#include <vector>

#include "engraft/base/arena.h"
#include "engraft/base/error.h"
#include "engraft/engine/block_fusion.h"
#include "engraft/engine/lowering.h"
#include "engraft/engine/memory_layout.h"
#include "engraft/engine/openmp_threads.h"
#include "engraft/engine/operation.h"
#include "engraft/engine/quantization.h"
#include "engraft/engine/stages.h"
#include "engraft/engine/workspace_layout.h"
#include "engraft/graph/surgery.h"

namespace engraft {
namespace {

constexpr int kMaxBatch = 1 << 16;
constexpr int kMaxThreads = 1 << 10;

void check(const PlanOptions& options) {
  if (options.batch < 1 || options.batch > kMaxBatch) {
    throw Error(ErrorKind::kUsage, fmt::format("a batch of {} pictures; 1 to {} are possible",
                                               options.batch, kMaxBatch));
  }
  if (options.threads < 1 || options.threads > kMaxThreads) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} threads; 1 to {} are possible", options.threads, kMaxThreads));
  }
}

/// An operation as it runs.
struct Turn {
  std::unique_ptr<BoundOperation> operation;
  std::byte* scratch = nullptr;
  std::size_t scratch_stride = 0;  ///< from one thread's to the next one's
};

}  // namespace

struct Plan::Impl {
  PlanOptions options;
  std::size_t input_size = 0, output_size = 0;  ///< of one picture
  StepList list;
  std::vector<Stage> stages;
  std::vector<std::unique_ptr<Operation>> operations;  ///< of each step
  std::vector<std::size_t> scratch_stride;             ///< of each step: bytes of a thread
  Arena parameters;
  WorkspaceLayout layout;

  void compile_steps(const Graph& graph);
  void pack_parameters(const Weights& weights);
  [[nodiscard]] Turn bind(int step, int picture, std::byte* memory) const;
};

struct Plan::Workspace::Impl {
  const Plan::Impl* plan = nullptr;
  Arena arena;
  std::vector<Turn> turns;
  std::vector<int> parts;  ///< of each turn
  std::span<float> input;
  std::span<const float> output;
};

void Plan::Impl::compile_steps(const Graph& graph) {
  const OpenMpThreads one(1);
  std::vector<std::size_t> scratch_bytes;
  for (const Stage& stage : stages) {
    for (int i = stage.first; i < stage.last; ++i) {
      const Step& step = list.steps[static_cast<std::size_t>(i)];
      operations.push_back(
          make_operation({.step = step,
                          .input = graph.shape(step.input),
                          .output = graph.shape(step.output),
                          .second = step.addend ? &graph.shape(*step.addend) : nullptr,
                          .batch = stage.pictures}));
      const Operation& operation = *operations.back();
      scratch_stride.push_back(aligned(operation.scratch_bytes()));
      scratch_bytes.push_back(scratch_stride.back() * static_cast<std::size_t>(options.threads) +
                              operation.shared_bytes());
    }
  }
  layout = WorkspaceLayout({.list = list,
                            .graph = graph,
                            .stages = stages,
                            .scratch_bytes = scratch_bytes,
                            .batch = options.batch});
}

void Plan::Impl::pack_parameters(const Weights& weights) {
  const OpenMpThreads threads(1);  // copying is over sooner than a team of threads is awake
  std::size_t bytes = 0;
  for (const auto& operation : operations) bytes += operation->parameter_bytes();
  parameters = Arena(bytes);
  std::byte* memory = parameters.data();
  for (const auto& operation : operations) {
    operation->pack_parameters(weights, memory);
    memory += operation->parameter_bytes();
  }
}

Turn Plan::Impl::bind(int index, int picture, std::byte* memory) const {
  const auto i = static_cast<std::size_t>(index);
  const Step& step = list.steps[i];
  const auto address = [&](ValueId value) {
    return reinterpret_cast<float*>(memory + layout.value_offset(value, picture));
  };
  std::byte* const scratch = memory + layout.scratch_offset(index);
  return {.operation = operations[i]->bind(
              {.input = address(step.input),
               .addend = step.addend ? address(*step.addend) : nullptr,
               .output = address(step.output),
               .scratch = scratch,
               .shared = scratch + scratch_stride[i] * static_cast<std::size_t>(options.threads)}),
          .scratch = scratch,
          .scratch_stride = scratch_stride[i]};
}

Plan Plan::compile(const Graph& graph, const Weights& weights, const PlanOptions& options) {
  check(options);
  const Network folded = fold_batch_norm({graph, weights});
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->list = fuse_blocks(lower(folded.graph), folded.graph, LowerFor::kInference);
  if (options.ranges != nullptr) {
    impl->list = quantize_steps(std::move(impl->list), folded.graph, *options.ranges);
    impl->options.ranges = nullptr;
  }
  impl->input_size = static_cast<std::size_t>(graph.shape(graph.input()).elements());
  impl->output_size = static_cast<std::size_t>(graph.shape(graph.output()).elements());

  impl->stages = split_into_stages(impl->list, folded.graph, options.batch);
  impl->compile_steps(folded.graph);
  impl->pack_parameters(folded.weights);
  return Plan(std::move(impl));
}

Plan::Plan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

Plan::Workspace::Workspace() = default;
Plan::Workspace::~Workspace() = default;
Plan::Workspace::Workspace(Workspace&&) noexcept = default;
Plan::Workspace& Plan::Workspace::operator=(Workspace&&) noexcept = default;

int Plan::batch() const {
  return impl_->options.batch;
}

std::size_t Plan::input_size() const {
  return impl_->input_size;
}

std::size_t Plan::output_size() const {
  return impl_->output_size;
}

std::size_t Plan::workspace_bytes() const {
  return impl_->layout.bytes();
}

Plan::Workspace Plan::make_workspace() const {
  Workspace made;
  made.impl_ = std::make_unique<Workspace::Impl>();
  Workspace::Impl& workspace = *made.impl_;
  workspace.plan = impl_.get();
  workspace.arena = Arena(impl_->layout.bytes());
  std::byte* const memory = workspace.arena.data();
  const int batch = impl_->options.batch;
  for (const Stage& stage : impl_->stages) {
    for (int picture = 0; picture < batch; picture += stage.pictures) {
      for (int step = stage.first; step < stage.last; ++step) {
        workspace.turns.push_back(impl_->bind(step, picture, memory));
      }
    }
  }
  const auto values = [&](ValueId value, std::size_t picture_size) {
    return std::span<float>(reinterpret_cast<float*>(memory + impl_->layout.value_offset(value, 0)),
                            picture_size * static_cast<std::size_t>(batch));
  };
  workspace.input = values(impl_->list.input, impl_->input_size);
  workspace.output = values(impl_->list.output, impl_->output_size);
  return made;
}

std::span<float> Plan::input(Workspace& workspace) const {
  if (!workspace.impl_ || workspace.impl_->plan != impl_.get()) {
    throw Error(ErrorKind::kUsage,
                "a workspace belongs to the plan whose make_workspace() made it");
  }
  return workspace.impl_->input;
}

std::span<const float> Plan::forward(Workspace& workspace) const {
  static_cast<void>(input(workspace));  // throws for another plan's workspace
  const OpenMpThreads one(1);
  for (const Turn& turn : workspace.impl_->turns) turn.operation->run();
  return workspace.impl_->output;
}

std::span<const float> Plan::forward(Workspace& workspace, Team& team) const {
  static_cast<void>(input(workspace));
  if (team.threads() > impl_->options.threads) {
    throw Error(ErrorKind::kUsage, fmt::format("a team of {} threads for a plan made for {}",
                                               team.threads(), impl_->options.threads));
  }
  const std::vector<Turn>& turns = workspace.impl_->turns;
  // Where parts meet, rows are computed twice: alone, a picture is done in one piece.
  if (team.caller_is_alone() || std::ssize(turns) > Team::kMostPhases) return forward(workspace);
  std::vector<int>& parts = workspace.impl_->parts;
  parts.clear();
  for (const Turn& turn : turns) parts.push_back(turn.operation->parts(team.threads()));
  team.run(parts, [&](int phase, int part, int member) {
    const OpenMpThreads one(1);
    const auto i = static_cast<std::size_t>(phase);
    const Turn& turn = turns[i];
    turn.operation->run_part(part, parts[i],
                             turn.scratch + turn.scratch_stride * static_cast<std::size_t>(member));
  });
  return workspace.impl_->output;
}

}  // namespace engraft
