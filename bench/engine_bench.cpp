// How fast the engine is: MobileNetV2 1.0 at 224 × 224, random weights, synthetic pictures. Every
// result says which share it is of the multiply-adds that this machine was measured to do.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

#include "engraft/base/rng.h"
#include "engraft/engine/batch_runner.h"
#include "engraft/engine/calibration.h"
#include "engraft/engine/plan.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/graph/surgery.h"
#include "fma_peak.h"

namespace engraft::bench {
namespace {

enum class Part { kFeatures, kClassifier };

const Network& network(Part part) {
  static const std::map<Part, Network> networks = [] {
    std::map<Part, Network> made;
    for (const Part p : {Part::kFeatures, Part::kClassifier}) {
      Graph graph = mobilenet_v2({.classes = p == Part::kFeatures ? 0 : 1000});
      Weights weights = random_weights(graph, 1);
      made.emplace(p, Network{std::move(graph), std::move(weights)});
    }
    return made;
  }();
  return networks.at(part);
}

/// Multiply-adds of one picture: of convolutions and dense layers, as is the custom.
double multiply_adds(const Network& net) {
  double sum = 0;
  for (const Node& node : net.graph.nodes()) {
    if (node.op != Op::kConv && node.op != Op::kDepthwiseConv && node.op != Op::kDense) continue;
    const Shape& out = net.graph.shape(node.output);
    const Shape& kernel = net.weights.at(node.parameters[0]).shape();
    const double places = static_cast<double>(out.elements()) / static_cast<double>(out[-1]);
    sum += places * static_cast<double>(kernel.elements());
  }
  return sum;
}

double fma_peak(int threads) {
  static std::map<int, double> peaks;
  const auto found = peaks.find(threads);
  if (found != peaks.end()) return found->second;
  return peaks[threads] = measure_fma_peak(threads);
}

/// Runs body, which handles that many pictures, as often as the benchmark wants, and reports
/// pictures a second and their arithmetic as a share of the peak's.
template <typename Body>
void measure(benchmark::State& state, const Network& net, std::size_t pictures, const Body& body) {
  using Clock = std::chrono::steady_clock;
  const double peak = fma_peak(static_cast<int>(state.range(0)));
  const auto start = Clock::now();
  while (state.KeepRunning()) body();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double rate = static_cast<double>(pictures * state.iterations()) / seconds;
  state.counters["pictures/s"] = rate;
  state.counters["GFLOP/s"] = 2e-9 * multiply_adds(net) * rate;
  state.counters["peak_GFLOP/s"] = 1e-9 * peak;
  state.counters["%_of_peak"] = 100 * 2 * multiply_adds(net) * rate / peak;
}

std::vector<float> synthetic_picture() {
  Rng rng(1);
  std::vector<float> picture(std::size_t{224} * 224 * 3);
  for (float& value : picture) value = rng.uniform(-1, 1);
  return picture;
}

/// The first compilation in a process makes the machine code; later ones find it in oneDNN's cache.
void first_compile(benchmark::State& state) {
  const Network& net = network(Part::kClassifier);
  while (state.KeepRunning()) benchmark::DoNotOptimize(Plan::compile(net.graph, net.weights));
}
BENCHMARK(first_compile)->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime();

void later_compile(benchmark::State& state) {
  const Network& net = network(Part::kClassifier);
  while (state.KeepRunning()) benchmark::DoNotOptimize(Plan::compile(net.graph, net.weights));
}
BENCHMARK(later_compile)->Unit(benchmark::kMillisecond)->UseRealTime();

/// What 8-bit integers need to know.
ActivationRanges ranges_of(const Network& net) {
  ThreadPool pool(1);
  const std::vector<float> picture = synthetic_picture();
  return calibrate(
      net.graph, net.weights, 1,
      [&](std::size_t, std::span<float> input) {
        std::copy(picture.begin(), picture.end(), input.begin());
        return true;
      },
      pool);
}

/// Many pictures, micro-batches over a pool, nothing decoded: the features of a frozen base, as
/// training takes them, or the probabilities of 1000 classes.
void many_pictures(benchmark::State& state, Part part, const ActivationRanges* ranges = nullptr) {
  const Network& net = network(part);
  const int threads = static_cast<int>(state.range(0));
  constexpr std::size_t kPictures = 64;
  ThreadPool pool(threads);
  BatchRunner runner(net.graph, net.weights, pool, ranges);
  const std::vector<float> picture = synthetic_picture();
  std::vector<float> first_outputs(kPictures);
  const auto run = [&] {
    runner.run(
        kPictures,
        [&](std::size_t, std::span<float> input) {
          std::copy(picture.begin(), picture.end(), input.begin());
          return true;
        },
        [&](std::size_t i, std::span<const float> output) { first_outputs[i] = output[0]; });
  };
  run();  // the workers' memory
  measure(state, net, kPictures, run);
}
void feature_extraction(benchmark::State& state) {
  many_pictures(state, Part::kFeatures);
}
void classification(benchmark::State& state) {
  many_pictures(state, Part::kClassifier);
}
/// The same in 8-bit integers.
void classification_int8(benchmark::State& state) {
  const ActivationRanges ranges = ranges_of(network(Part::kClassifier));
  many_pictures(state, Part::kClassifier, &ranges);
}
void for_thread_counts(benchmark::internal::Benchmark* bench) {
  for (int threads = 1; threads < available_cores(); threads *= 2) bench->Arg(threads);
  bench->Arg(available_cores())->ArgName("threads")->Unit(benchmark::kMillisecond)->UseRealTime();
}
BENCHMARK(feature_extraction)->Apply(for_thread_counts);
BENCHMARK(classification)->Apply(for_thread_counts);
BENCHMARK(classification_int8)->Apply(for_thread_counts);

/// One picture through the whole classifier, from filled input to probabilities.
void one_picture(benchmark::State& state, const ActivationRanges* ranges) {
  const Network& net = network(Part::kClassifier);
  const int threads = static_cast<int>(state.range(0));
  const Plan plan = Plan::compile(net.graph, net.weights, {.threads = threads, .ranges = ranges});
  Plan::Workspace workspace = plan.make_workspace();
  const std::vector<float> picture = synthetic_picture();
  std::copy(picture.begin(), picture.end(), plan.input(workspace).begin());
  Team team(threads);
  measure(state, net, 1, [&] {
    benchmark::DoNotOptimize(
        (threads == 1 ? plan.forward(workspace) : plan.forward(workspace, team)).data());
  });
}
void single_picture(benchmark::State& state) {
  one_picture(state, nullptr);
}
void single_picture_int8(benchmark::State& state) {
  const ActivationRanges ranges = ranges_of(network(Part::kClassifier));
  one_picture(state, &ranges);
}
void for_one_and_two_threads(benchmark::internal::Benchmark* bench) {
  bench->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
}
BENCHMARK(single_picture)->Apply(for_one_and_two_threads);
BENCHMARK(single_picture_int8)->Apply(for_one_and_two_threads);

const bool kContextAdded = [] {
  benchmark::AddCustomContext("fma_instruction", fma_instruction());
  return true;
}();

}  // namespace
}  // namespace engraft::bench
