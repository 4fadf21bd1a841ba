#include "engraft/engine/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "engraft/base/arena.h"
#include "engraft/base/error.h"
#include "engraft/engine/block_fusion.h"
#include "engraft/engine/openmp_threads.h"
#include "engraft/engine/operation.h"
#include "engraft/engine/quantization.h"
#include "engraft/graph/surgery.h"

namespace engraft {
namespace {

/// Where a value is no number, all of them count as infinite.
void widen(ActivationRange& range, std::span<const float> values) {
  bool finite = true;
  for (const float value : values) {
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
    finite &= std::isfinite(value);
  }
  if (!finite) range.high = std::numeric_limits<float>::infinity();
}

/// A network step by step, for one picture at a time, with every value in a place of its own.
class Observed {
 public:
  Observed(const Graph& graph, const Weights& weights)
      : network_(fold_batch_norm({graph, weights})), list_(lower(network_.graph)) {
    const OpenMpThreads one(1);
    std::size_t parameter_bytes = 0;
    for (const Step& step : list_.steps) {
      operations_.push_back(make_operation({.step = step,
                                            .input = shape(step.input),
                                            .output = shape(step.output),
                                            .second = step.addend ? &shape(*step.addend) : nullptr,
                                            .batch = 1}));
      parameter_bytes += operations_.back()->parameter_bytes();
      scratch_bytes_ = std::max(scratch_bytes_, operations_.back()->scratch_bytes());
    }
    parameters_ = Arena(parameter_bytes);
    std::byte* at = parameters_.data();
    for (const auto& operation : operations_) {
      operation->pack_parameters(network_.weights, at);
      at += operation->parameter_bytes();
    }
    const StepList fused = fuse_blocks(list_, network_.graph, LowerFor::kInference);
    for (const ValueId value : values_to_calibrate(fused, network_.graph)) {
      untouched_.emplace(network_.graph.name(value), ActivationRange{});
    }
  }

  /// One worker's values, and the ranges that he has seen.
  class Worker {
   public:
    explicit Worker(const Observed& observed)
        : observed_(observed),
          ranges_(observed.untouched_),
          values_(static_cast<std::size_t>(observed.network_.graph.value_count())),
          scratch_(observed.scratch_bytes_) {
      const OpenMpThreads one(1);
      place(observed.list_.input);
      for (std::size_t i = 0; i < observed.list_.steps.size(); ++i) {
        const Step& step = observed.list_.steps[i];
        const auto at = [&](ValueId value) { return values_[static_cast<std::size_t>(value)]; };
        if (step.in_place()) {
          values_[static_cast<std::size_t>(step.output)] = at(*step.addend);
        } else {
          place(step.output);
        }
        bound_.push_back(observed.operations_[i]->bind(
            {.input = at(step.input).data(),
             .addend = step.addend ? at(*step.addend).data() : nullptr,
             .output = at(step.output).data(),
             .scratch = scratch_.data()}));
      }
    }

    [[nodiscard]] std::span<float> input() {
      return values_[static_cast<std::size_t>(observed_.list_.input)];
    }
    void run() {
      const OpenMpThreads one(1);
      look_at(observed_.list_.input);
      for (std::size_t i = 0; i < bound_.size(); ++i) {
        bound_[i]->run();
        look_at(observed_.list_.steps[i].output);
      }
    }
    [[nodiscard]] const ActivationRanges& ranges() const { return ranges_; }

   private:
    void place(ValueId value) {
      const auto elements = static_cast<std::size_t>(observed_.shape(value).elements());
      memory_.emplace_back(elements * sizeof(float));
      values_[static_cast<std::size_t>(value)] = {reinterpret_cast<float*>(memory_.back().data()),
                                                  elements};
    }
    void look_at(ValueId value) {
      const auto found = ranges_.find(observed_.network_.graph.name(value));
      if (found != ranges_.end()) widen(found->second, values_[static_cast<std::size_t>(value)]);
    }

    const Observed& observed_;
    ActivationRanges ranges_;
    std::vector<std::span<float>> values_;  ///< of each ValueId
    std::vector<Arena> memory_;
    Arena scratch_;
    std::vector<std::unique_ptr<BoundOperation>> bound_;
  };

  [[nodiscard]] const ActivationRanges& untouched() const { return untouched_; }

 private:
  [[nodiscard]] const Shape& shape(ValueId value) const { return network_.graph.shape(value); }

  Network network_;
  StepList list_;
  std::vector<std::unique_ptr<Operation>> operations_;
  std::size_t scratch_bytes_ = 64;
  Arena parameters_;
  ActivationRanges untouched_;
};

}  // namespace

ActivationRanges calibrate(const Graph& graph, const Weights& weights, std::size_t pictures,
                           const std::function<bool(std::size_t i, std::span<float> input)>& fill,
                           ThreadPool& pool) {
  const Observed observed(graph, weights);
  std::vector<std::optional<Observed::Worker>> workers(static_cast<std::size_t>(pool.threads()));
  std::vector<char> seen(pictures, 0);
  pool.for_each(pictures, [&](std::size_t i, int index) {
    auto& worker = workers[static_cast<std::size_t>(index)];
    if (!worker) worker.emplace(observed);
    if (!fill(i, worker->input())) return;
    worker->run();
    seen[i] = 1;
  });
  if (std::ranges::count(seen, 1) == 0) {
    throw Error(ErrorKind::kBadInput,
                "8-bit arithmetic needs at least one picture to set its scales by; none could be "
                "read");
  }
  ActivationRanges ranges = observed.untouched();
  for (const auto& worker : workers) {
    if (!worker) continue;
    for (auto& [name, range] : ranges) {
      const ActivationRange& other = worker->ranges().at(name);
      range.low = std::min(range.low, other.low);
      range.high = std::max(range.high, other.high);
    }
  }
  for (const auto& [name, range] : ranges) {
    if (std::isfinite(range.high - range.low)) continue;
    throw Error(ErrorKind::kUnsupported,
                fmt::format("value {} of the network becomes infinite or no number, which 8-bit "
                            "arithmetic cannot take; the weights are damaged, or need float32",
                            name));
  }
  return ranges;
}

}  // namespace engraft
