// How fast an inverted residual's way back is, on one thread, block by block of MobileNetV2 1.0 at
// 224 × 224, and its way there beside it. FLOP/s count the gradients' multiply-adds and, on the way
// back, what is computed once more, a multiply-add being two.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "array.h"
#include "engraft/kernels/inverted_residual_backward.h"

namespace engraft::bench {
namespace {

struct Shape {
  const char* name;
  int side, in, expanded, out, stride;
  bool stem = false;
};

constexpr Shape kShapes[] = {
    {.name = "stem_and_0",
     .side = 224,
     .in = 3,
     .expanded = 32,
     .out = 16,
     .stride = 1,
     .stem = true},
    {.name = "1", .side = 112, .in = 16, .expanded = 96, .out = 24, .stride = 2},
    {.name = "2", .side = 56, .in = 24, .expanded = 144, .out = 24, .stride = 1},
    {.name = "3", .side = 56, .in = 24, .expanded = 144, .out = 32, .stride = 2},
    {.name = "4_and_5", .side = 28, .in = 32, .expanded = 192, .out = 32, .stride = 1},
    {.name = "6", .side = 28, .in = 32, .expanded = 192, .out = 64, .stride = 2},
    {.name = "7_to_9", .side = 14, .in = 64, .expanded = 384, .out = 64, .stride = 1},
    {.name = "10", .side = 14, .in = 64, .expanded = 384, .out = 96, .stride = 1},
    {.name = "11_and_12", .side = 14, .in = 96, .expanded = 576, .out = 96, .stride = 1},
    {.name = "13", .side = 14, .in = 96, .expanded = 576, .out = 160, .stride = 2},
    {.name = "14_and_15", .side = 7, .in = 160, .expanded = 960, .out = 160, .stride = 1},
    {.name = "16", .side = 7, .in = 160, .expanded = 960, .out = 320, .stride = 1},
};

/// Paddings as Keras has them.
InvertedResidual block_of(const Shape& shape) {
  const int side = shape.stem ? shape.side / 2 : shape.side, out = side / shape.stride;
  const int pad = 2 - shape.stride;
  InvertedResidual block{
      .in_height = shape.side,
      .in_width = shape.side,
      .height = side,
      .width = side,
      .out_height = out,
      .out_width = out,
      .in = shape.in,
      .expanded = shape.expanded,
      .out = shape.out,
      .expand = {},
      .depthwise = {.kernel = 3, .stride = shape.stride, .pad_top = pad, .pad_left = pad},
      .residual = !shape.stem && shape.stride == 1 && shape.in == shape.out};
  if (shape.stem) block.expand = {.kernel = 3, .stride = 2};
  return block;
}

/// Multiply-adds of one picture: of the 1×1 (or 3×3) expansion and the depthwise convolution, which
/// are computed again on the way back, and of the projection.
struct Work {
  std::int64_t again, projection;
};
Work work_of(const InvertedResidual& b) {
  const std::int64_t depth = std::int64_t{b.expand.kernel} * b.expand.kernel * b.in;
  const std::int64_t e = std::int64_t{b.height} * b.width * b.expanded;
  const std::int64_t d = std::int64_t{b.out_height} * b.out_width * b.expanded;
  return {.again = e * depth + 9 * d, .projection = d * b.out};
}

class Block {
 public:
  Block(const Shape& shape, int pictures)
      : block(block_of(shape)),
        pictures_(pictures),
        expand_(std::int64_t{block.expand.kernel} * block.expand.kernel * block.in *
                block.expanded),
        depthwise_(9 * block.expanded),
        project_(std::int64_t{block.expanded} * block.out),
        biases_(2 * block.expanded + block.out),
        packed_(static_cast<std::int64_t>(packed_size(block))),
        packed_backward_(static_cast<std::int64_t>(backward_packed_size(block))),
        scratch_(
            static_cast<std::int64_t>(std::max(scratch_size(block), backward_scratch_size(block)))),
        x_(std::int64_t{pictures} * block.in_height * block.in_width * block.in),
        dx_(std::int64_t{pictures} * block.in_height * block.in_width * block.in),
        y_(std::int64_t{pictures} * block.out_height * block.out_width * block.out) {
    const InvertedResidualWeights weights{.expand = expand_.data(),
                                          .expand_bias = biases_.data(),
                                          .depthwise = depthwise_.data(),
                                          .depthwise_bias = biases_.data() + block.expanded,
                                          .project = project_.data(),
                                          .project_bias = biases_.data() + 2 * block.expanded};
    pack(block, weights, packed_.data());
    pack_backward(block, weights, packed_backward_.data());
  }

  void forward() {
    inverted_residual(block, {.packed = packed_.data(),
                              .x = x_.data(),
                              .y = y_.data(),
                              .scratch = scratch_.data(),
                              .pictures = pictures_,
                              .first_row = 0,
                              .last_row = block.out_height});
  }
  /// Its gradients go where the weights were, which are packed by now.
  void backward() {
    inverted_residual_backward(block,
                               {.packed = packed_.data(),
                                .packed_backward = packed_backward_.data(),
                                .pictures = pictures_,
                                .x = x_.data(),
                                .dy = y_.data(),
                                .dx = block.expand.kernel == 1 ? dx_.data() : nullptr,
                                .gradients = {.expand = expand_.data(),
                                              .expand_bias = biases_.data(),
                                              .depthwise = depthwise_.data(),
                                              .depthwise_bias = biases_.data() + block.expanded,
                                              .project = project_.data(),
                                              .project_bias = biases_.data() + 2 * block.expanded},
                                .scratch = scratch_.data()});
  }

  const InvertedResidual block;

 private:
  int pictures_;
  Array expand_, depthwise_, project_, biases_, packed_, packed_backward_, scratch_, x_, dx_, y_;
};

constexpr int kPictures = 4;

void forward(benchmark::State& state, const Shape& shape) {
  Block block(shape, kPictures);
  const Work work = work_of(block.block);
  for (auto _ : state) block.forward();
  report(state, "FLOP", 2 * kPictures * (work.again + work.projection));
}

void backward(benchmark::State& state, const Shape& shape) {
  Block block(shape, kPictures);
  const Work work = work_of(block.block);
  for (auto _ : state) block.backward();
  const std::int64_t ways = shape.stem ? 1 : 2;  // no gradient by the picture
  report(state, "FLOP", 2 * kPictures * ((1 + ways) * work.again + 2 * work.projection));
}

const bool kBlocksAdded = [] {
  for (const Shape& shape : kShapes) {
    const std::string name = shape.name;
    benchmark::RegisterBenchmark(("block_forward/" + name).c_str(), forward, shape);
    benchmark::RegisterBenchmark(("block_backward/" + name).c_str(), backward, shape);
  }
  return true;
}();

}  // namespace
}  // namespace engraft::bench
