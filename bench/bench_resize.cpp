// How long a decoded picture takes to become the network's size, on one thread: the antialiased
// rule of models trained by engraft, the plain one of Keras' weights, and bicubic.
#include <benchmark/benchmark.h>

#include "engraft/base/rng.h"
#include "engraft/image/resize.h"

namespace engraft::bench {
namespace {

Image noise(Size size) {
  Image image(size.width, size.height);
  Rng rng(1);
  for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

template <Interpolation kInterpolation>
void resize_to(benchmark::State& state) {
  const Image image = noise({static_cast<int>(state.range(0)), static_cast<int>(state.range(1))});
  const Size to{static_cast<int>(state.range(2)), static_cast<int>(state.range(2))};
  for (auto _ : state) benchmark::DoNotOptimize(resize(image, to, kInterpolation));
}

/// A common photo, a camera's, one that is smaller than the network's input, and a small network.
void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"width", "height", "to"})->Unit(benchmark::kMicrosecond);
  benchmark->Args({500, 375, 224})->Args({4000, 3000, 224})->Args({100, 75, 224});
  benchmark->Args({500, 375, 96});
}

BENCHMARK(resize_to<Interpolation::kBilinearAntialiased>)->Apply(sizes);
BENCHMARK(resize_to<Interpolation::kBicubic>)->Apply(sizes);
BENCHMARK(resize_to<Interpolation::kBilinear>)->Apply(sizes);

}  // namespace
}  // namespace engraft::bench
