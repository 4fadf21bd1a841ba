// How fast the kernels of back-propagation are, on one thread, at the shapes of MobileNetV2 1.0 at
// 224 × 224. The arithmetic is reported in FLOP/s, a multiply-add being two; passes over memory in
// bytes read and written a second.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "array.h"
#include "engraft/kernels/channels.h"
#include "engraft/kernels/depthwise_backward.h"
#include "engraft/kernels/pointwise.h"
#include "engraft/kernels/pointwise_gradient.h"

namespace engraft::bench {
namespace {

/// A 1×1 convolution as it is computed both ways: the way back is one by the transposed kernel.
void pointwise_convolution(benchmark::State& state) {
  const Pointwise layer{.in = state.range(1), .out = state.range(2)};
  const std::int64_t pixels = state.range(0);
  Array x(pixels * layer.in), y(pixels * layer.out), w(layer.in * layer.out), b(layer.out);
  Array packed(static_cast<std::int64_t>(packed_size(layer)));
  pack(layer, w.data(), b.data(), packed.data());
  for (auto _ : state) {
    pointwise(layer, {.packed = packed.data(),
                      .x = x.data(),
                      .y = y.data(),
                      .pixels = pixels,
                      .first_channel = 0,
                      .last_channel = layer.out});
  }
  report(state, "FLOP", 2 * pixels * layer.in * layer.out);
}
BENCHMARK(pointwise_convolution)
    ->ArgNames({"pixels", "in", "out"})
    ->ArgsProduct({{49, 196, 392}, {320}, {1280}})
    ->ArgsProduct({{49, 196, 392}, {1280}, {320}});

void pointwise_gradient(benchmark::State& state) {
  const PointwiseGradientShape shape{
      .pixels = state.range(0), .in = state.range(1), .out = state.range(2)};
  Array x(shape.pixels * shape.in), dy(shape.pixels * shape.out);
  Array dw(shape.in * shape.out), db(shape.out);
  for (auto _ : state) {
    pointwise_weight_gradient(shape, x.data(), dy.data(), dw.data(), db.data());
  }
  report(state, "FLOP", 2 * shape.pixels * shape.in * shape.out);
}
BENCHMARK(pointwise_gradient)
    ->ArgNames({"pixels", "in", "out"})
    ->ArgsProduct({{12544}, {32}, {16}})
    ->ArgsProduct({{12544}, {16}, {96}})
    ->ArgsProduct({{3136}, {96, 144}, {24}})
    ->ArgsProduct({{3136}, {24}, {144}})
    ->ArgsProduct({{784}, {144, 192}, {32}})
    ->ArgsProduct({{784}, {32}, {192}})
    ->ArgsProduct({{784}, {192, 384}, {64}})
    ->ArgsProduct({{784}, {64}, {384}})
    ->ArgsProduct({{784}, {384, 576}, {96}})
    ->ArgsProduct({{784}, {96}, {576}})
    ->ArgsProduct({{196}, {576, 960}, {160}})
    ->ArgsProduct({{196}, {160}, {960}})
    ->ArgsProduct({{196}, {960}, {320}})
    ->ArgsProduct({{196}, {320}, {1280}});

void depthwise(benchmark::State& state) {
  const int side = static_cast<int>(state.range(0)), channels = static_cast<int>(state.range(1));
  const int stride = static_cast<int>(state.range(2)), out = side / stride;
  const std::int64_t in_size = std::int64_t{side} * side * channels;
  const std::int64_t out_size = std::int64_t{out} * out * channels;
  Array x(in_size), y(out_size), w(9 * channels), dy(out_size), dx(in_size), dw(9 * channels),
      db(channels);
  const DepthwiseBackward spec{.height = side,
                               .width = side,
                               .channels = channels,
                               .stride = stride,
                               .pad_top = 2 - stride,
                               .pad_left = 2 - stride,
                               .out_height = out,
                               .out_width = out,
                               .input_gate = Gate::kRelu6,
                               .output_gate = Gate::kRelu6,
                               .x = x.data(),
                               .y = y.data(),
                               .w = w.data(),
                               .dy = dy.data(),
                               .dx = dx.data(),
                               .dw = dw.data(),
                               .db = db.data()};
  for (auto _ : state) depthwise_backward(spec);
  report(state, "FLOP", 36 * out_size);
  report(state, "bytes", 4 * (2 * in_size + 3 * out_size));
}
BENCHMARK(depthwise)
    ->ArgNames({"side", "channels", "stride"})
    ->ArgsProduct({{112}, {32}, {1}})
    ->ArgsProduct({{112}, {96}, {2}})
    ->ArgsProduct({{56}, {144}, {1, 2}})
    ->ArgsProduct({{28}, {192}, {1, 2}})
    ->ArgsProduct({{14}, {384}, {1}})
    ->ArgsProduct({{14}, {576}, {1, 2}})
    ->ArgsProduct({{7}, {960}, {1}});

enum class Pass { kMoments, kScaleShiftGate, kBackwardSums, kBackward };

template <Pass kPass>
void batch_norm(benchmark::State& state) {
  const ChannelShape shape{.pixels = state.range(0), .channels = state.range(1)};
  const std::int64_t size = shape.pixels * shape.channels;
  Array x(size), dy(size), result(size), row(shape.channels);
  std::vector<double> sum(static_cast<std::size_t>(shape.channels)), product(sum.size());
  const BatchNormStatistics statistics{row.data(), row.data(), row.data(), row.data()};
  for (auto _ : state) {
    if constexpr (kPass == Pass::kMoments) {
      channel_moments(shape, x.data(), row.data(), sum.data(), product.data());
    } else if constexpr (kPass == Pass::kScaleShiftGate) {
      scale_shift_gate(shape, x.data(), row.data(), row.data(), Gate::kRelu6, result.data());
    } else if constexpr (kPass == Pass::kBackwardSums) {
      batch_norm_backward_sums(shape, x.data(), dy.data(), statistics, Gate::kRelu6, sum.data(),
                               product.data());
    } else {
      batch_norm_backward(shape, x.data(), dy.data(), statistics, row.data(), row.data(),
                          Gate::kRelu6, result.data());
    }
  }
  constexpr std::int64_t kArrays[] = {1, 2, 2, 3};
  report(state, "bytes", 4 * size * kArrays[static_cast<int>(kPass)]);
}
BENCHMARK(batch_norm<Pass::kMoments>)->Args({12544, 96})->Args({3136, 24})->Args({196, 384});
BENCHMARK(batch_norm<Pass::kScaleShiftGate>)->Args({12544, 96})->Args({3136, 24})->Args({196, 384});
BENCHMARK(batch_norm<Pass::kBackwardSums>)->Args({12544, 96})->Args({3136, 24})->Args({196, 384});
BENCHMARK(batch_norm<Pass::kBackward>)->Args({12544, 96})->Args({3136, 24})->Args({196, 384});

}  // namespace
}  // namespace engraft::bench
