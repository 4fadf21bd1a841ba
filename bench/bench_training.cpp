// How fast whole training steps are: MobileNetV2 1.0 at 224 × 224, batches of 32, random weights,
// synthetic pictures. A step is forward, loss, backward and the update by SGD with momentum;
// nothing is decoded. bench/training_ratio.sh compares it with another framework.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "engraft/base/rng.h"
#include "engraft/engine/training/gradient_runner.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/graph/surgery.h"
#include "engraft/train/loss.h"
#include "engraft/train/optimizer.h"

namespace engraft::bench {
namespace {

constexpr std::size_t kPictures = 32;
constexpr int kClasses = 5;
/// Parameters that a worker updates at a time.
constexpr std::size_t kUpdateSlice = 1 << 15;

Graph logits_graph() {
  const Graph graph = mobilenet_v2({.classes = kClasses});
  return cut_at(graph, graph.find(kLogitsValue));
}

struct StepSpec {
  BatchNormMode batch_norm = BatchNormMode::kFrozen;
  int threads = 1;
  int micro_batch = 4;
};

/// A network with its pictures, optimizer and gradients.
class TrainingStep {
 public:
  TrainingStep(const Graph& graph, const StepSpec& spec)
      : pool_(spec.threads),
        runner_(graph, {.plan = {.micro_batch = spec.micro_batch, .batch_norm = spec.batch_norm}},
                pool_),
        optimizer_({.kind = OptimizerKind::kSgd, .size = runner_.parameters().size()}),
        parameters_(runner_.parameters().gather(random_weights(graph, 1))),
        statistics_(runner_.statistics().gather(random_weights(graph, 1))),
        gradient_(parameters_.size()),
        picture_(static_cast<std::size_t>(graph.shape(graph.input()).elements())) {
    Rng rng(1);
    for (float& value : picture_) value = rng.uniform(-1, 1);
  }

  void run() {
    runner_.run(
        parameters_, statistics_,
        {.pictures = kPictures,
         .fill = [&](std::size_t,
                     std::span<float> input) { std::ranges::copy(picture_, input.begin()); },
         .loss = judge,
         .dropout = {}},
        gradient_);
    optimizer_.begin_step();
    const std::size_t slices = (parameters_.size() + kUpdateSlice - 1) / kUpdateSlice;
    pool_.for_each(slices, [&](std::size_t slice, int) {
      const std::size_t begin = slice * kUpdateSlice;
      optimizer_.update({.begin = begin, .end = std::min(begin + kUpdateSlice, parameters_.size())},
                        parameters_, gradient_, {.learning_rate = 1e-4f});
    });
  }

  [[nodiscard]] std::size_t memory_bytes() const { return runner_.memory_bytes(kPictures); }

 private:
  static void judge(std::size_t i, std::span<const float> z, std::span<float> dz) {
    std::array<float, kClasses> p{};
    loss::softmax_cross_entropy<float>(z, static_cast<int>(i) % kClasses, 0.0f, p, dz);
    for (float& d : dz) d /= static_cast<float>(kPictures);
  }

  ThreadPool pool_;
  GradientRunner runner_;
  Optimizer optimizer_;
  std::vector<float> parameters_, statistics_, gradient_, picture_;
};

/// The process' largest memory so far: of one benchmark only where it is the first to run.
double peak_megabytes() {
  ::rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void measure(benchmark::State& state, const Graph& graph, const StepSpec& spec) {
  using Clock = std::chrono::steady_clock;
  TrainingStep step(graph, spec);
  step.run();  // the workers' memory
  std::vector<double> seconds;
  while (state.KeepRunning()) {
    const auto start = Clock::now();
    step.run();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  state.counters["pictures/s"] = static_cast<double>(kPictures) / *middle;  // of the median step
  state.counters["buffers_MB"] = static_cast<double>(step.memory_bytes()) / (1 << 20);
  state.counters["peak_MB"] = peak_megabytes();
}

void training_step(benchmark::State& state, BatchNormMode batch_norm) {
  measure(state, logits_graph(),
          {.batch_norm = batch_norm,
           .threads = static_cast<int>(state.range(0)),
           .micro_batch = static_cast<int>(state.range(1))});
}

void with_threads_and_micro_batches(benchmark::internal::Benchmark* bench) {
  std::vector<std::int64_t> threads{1, 2};
  if (available_cores() > 2) threads.push_back(available_cores());
  bench->ArgNames({"threads", "micro_batch"})
      ->ArgsProduct({threads, {1, 2, 4, 8}})
      ->Unit(benchmark::kMillisecond)
      ->MinTime(2)
      ->UseRealTime();
}
BENCHMARK_CAPTURE(training_step, frozen, BatchNormMode::kFrozen)
    ->Apply(with_threads_and_micro_batches);
BENCHMARK_CAPTURE(training_step, trainable, BatchNormMode::kTrainable)
    ->Apply(with_threads_and_micro_batches);

/// Only what lies behind a value is trained, from the value's activations on. The difference
/// between one and the next is what the steps at one resolution take.
void training_behind(benchmark::State& state, const std::string& value, BatchNormMode batch_norm) {
  const Graph graph = logits_graph();
  measure(state, part_behind(graph, graph.find(value)), {.batch_norm = batch_norm});
}

const bool kPartsAdded = [] {
  for (const auto& [mode, name] :
       {std::pair(BatchNormMode::kFrozen, "frozen"), {BatchNormMode::kTrainable, "trainable"}}) {
    for (const std::string value : {"expanded_conv_project_BN", "block_2_add", "block_5_add",
                                    "block_12_add", "global_average_pooling2d"}) {
      benchmark::RegisterBenchmark(
          (std::string("training_behind/") + name + "/" + value).c_str(),
          [value, mode = mode](benchmark::State& state) { training_behind(state, value, mode); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
}  // namespace engraft::bench
