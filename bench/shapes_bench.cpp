// MobileNetV2 at other widths and sizes, random weights, synthetic pictures: the engine, and beside
// it oneDNN's primitives one by one. A benchmark's name is WHO/WIDTH/SIZE/CELL:
//   one_1    one picture on one thread
//   one_all  one picture on all cores
//   many     eight pictures on all cores
// "ms" is the median over the calls of a quarter of a second, "best_ms" the shortest; the time that
// Google Benchmark gives is that of all of them. oneDNN's numbers are checked against the engine's
// first.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/base/rng.h"
#include "engraft/engine/batch_runner.h"
#include "engraft/engine/plan.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "engraft/graph/surgery.h"
#include "onednn_network.h"

namespace engraft::bench {
namespace {

constexpr int kMany = 8;

struct ShapeSpec {
  float width;
  int size;
};

/// What is measured, with everything that belongs to it.
using Body = std::function<void()>;
using Maker = std::function<Body(const Network&)>;

/// The last one is kept: a shape's benchmarks follow each other.
const Network& network(const ShapeSpec& spec) {
  static std::optional<ShapeSpec> made;
  static Network net;
  if (!made || made->width != spec.width || made->size != spec.size) {
    net.graph = mobilenet_v2({.width = spec.width, .image_size = spec.size});
    net.weights = random_weights(net.graph, 1);
    made = spec;
  }
  return net;
}

void fill(std::span<float> pictures) {
  Rng rng(1);
  for (float& value : pictures) value = rng.uniform(-1, 1);
}

Body engraft_one(const Network& net, int threads) {
  struct State {
    Plan plan;
    Plan::Workspace workspace;
    Team team;
  };
  Plan plan = Plan::compile(net.graph, net.weights, {.threads = threads});
  Plan::Workspace workspace = plan.make_workspace();
  fill(plan.input(workspace));
  const std::shared_ptr<State> state(
      new State{.plan = std::move(plan), .workspace = std::move(workspace), .team = Team(threads)});
  return [state, threads] {
    benchmark::DoNotOptimize((threads == 1 ? state->plan.forward(state->workspace)
                                           : state->plan.forward(state->workspace, state->team))
                                 .data());
  };
}

Body engraft_many(const Network& net) {
  struct State {
    explicit State(const Network& what)
        : pool(available_cores()), runner(what.graph, what.weights, pool) {}
    ThreadPool pool;
    BatchRunner runner;
    std::vector<float> picture;
    std::array<float, kMany> first_outputs{};
  };
  const auto state = std::make_shared<State>(net);
  state->picture.resize(static_cast<std::size_t>(net.graph.shape(net.graph.input()).elements()));
  fill(state->picture);
  return [state] {
    state->runner.run(
        kMany,
        [&](std::size_t, std::span<float> input) {
          std::copy(state->picture.begin(), state->picture.end(), input.begin());
          return true;
        },
        [&](std::size_t i, std::span<const float> output) { state->first_outputs[i] = output[0]; });
  };
}

/// Throws unless both make the same of the same pictures, to what floats leave room for.
void check(OneDnnNetwork& onednn, const Network& net, int batch) {
  const Plan plan = Plan::compile(net.graph, net.weights, {.batch = batch});
  Plan::Workspace workspace = plan.make_workspace();
  fill(plan.input(workspace));
  const std::span<const float> expected = plan.forward(workspace);
  const std::span<const float> found = onednn.forward();
  float largest = 0, error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, expected[i]);
    const float difference = std::abs(expected[i] - found[i]);
    if (!(difference <= error)) error = difference;
  }
  if (expected.size() != found.size() || !(error <= 1e-3f * largest)) {
    throw Error(ErrorKind::kInternal,
                fmt::format("oneDNN's primitives are {} off the engine's {}", error, largest));
  }
}

std::unique_ptr<OneDnnNetwork> onednn_network(const Network& net, const OneDnnSpec& spec) {
  auto made = std::make_unique<OneDnnNetwork>(net, spec);
  fill(made->input());
  check(*made, net, spec.batch);
  return made;
}

Body onednn_together(const Network& net, const OneDnnSpec& spec) {
  const std::shared_ptr<OneDnnNetwork> made = onednn_network(net, spec);
  return [made] { benchmark::DoNotOptimize(made->forward().data()); };
}

/// Each core its share of the pictures, with primitives made for one thread.
Body onednn_apart(const Network& net, Formats formats) {
  struct State {
    ThreadPool pool{available_cores()};
    std::vector<std::unique_ptr<OneDnnNetwork>> shares;
  };
  const auto state = std::make_shared<State>();
  const int shares = std::min(available_cores(), kMany);
  for (int i = 0; i < shares; ++i) {
    const int pictures = kMany * (i + 1) / shares - kMany * i / shares;
    state->shares.push_back(
        onednn_network(net, {.batch = pictures, .threads = 1, .formats = formats}));
  }
  return [state] {
    state->pool.for_each(state->shares.size(), [&](std::size_t share, int) {
      benchmark::DoNotOptimize(state->shares[share]->forward().data());
    });
  };
}

/// Calls for a quarter of a second, a few at least. Google Benchmark would choose their number from
/// the first of them, and the time of oneDNN's teams on a busy machine varies a hundredfold.
void measure(benchmark::State& state, const Body& body) {
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::duration<double, std::milli>;
  constexpr Milliseconds kLongEnough{250};
  constexpr int kFewest = 3;
  body();  // memory and machine code
  std::vector<double> times;
  for (auto _ : state) {
    const auto begun = Clock::now();
    while (std::ssize(times) < kFewest || Clock::now() - begun < kLongEnough) {
      const auto start = Clock::now();
      body();
      times.push_back(Milliseconds(Clock::now() - start).count());
    }
  }
  std::sort(times.begin(), times.end());
  state.counters["ms"] = times[times.size() / 2];
  state.counters["best_ms"] = times.front();
  state.counters["calls"] = static_cast<double>(times.size());
}

void add(const char* who, const ShapeSpec& spec, const char* cell, const Maker& make) {
  const std::string name = fmt::format("{}/{:.2f}/{}/{}", who, spec.width, spec.size, cell);
  const auto run = [spec, make](benchmark::State& state) {
    try {
      measure(state, make(network(spec)));
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
    }
  };
  benchmark::RegisterBenchmark(name.c_str(), run)->Iterations(1);
}

void add_all(const ShapeSpec& spec) {
  const int cores = available_cores();
  add("engraft", spec, "one_1", [](const Network& net) { return engraft_one(net, 1); });
  add("engraft", spec, "one_all", [=](const Network& net) { return engraft_one(net, cores); });
  add("engraft", spec, "many", engraft_many);
  for (const Formats formats : {Formats::kChosen, Formats::kChannelsLast}) {
    const bool chosen = formats == Formats::kChosen;
    const char* const who = chosen ? "onednn" : "onednn_nhwc";
    const auto together = [=](int batch, int threads) {
      return [=](const Network& net) {
        return onednn_together(net, {.batch = batch, .threads = threads, .formats = formats});
      };
    };
    add(who, spec, "one_1", together(1, 1));
    add(who, spec, "one_all", together(1, cores));
    add(who, spec, "many", together(kMany, cores));
    add(chosen ? "onednn_apart" : "onednn_nhwc_apart", spec, "many",
        [=](const Network& net) { return onednn_apart(net, formats); });
  }
}

const bool kAdded = [] {
  for (const float width : {0.35f, 1.0f}) {
    for (const int size : {96, 128, 160, 192, 224}) add_all({.width = width, .size = size});
  }
  return true;
}();

}  // namespace
}  // namespace engraft::bench
