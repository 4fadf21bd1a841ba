#include "engraft/kernels/inverted_residual.h"

#include "engraft/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engraft/kernels/inverted_residual.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <cassert>

#include "engraft/kernels/inverted_residual_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engraft::HWY_NAMESPACE {
namespace {

std::size_t block_packed_size(const InvertedResidual& block) {
  return static_cast<std::size_t>(2 * padded(block.out) +
                                  PanelWeights::size(block, padded(block.expanded)));
}

std::size_t block_scratch_size(const InvertedResidual& block) {
  std::int64_t most = 0;
  for_each_block_panel(block, [&]<int kVectors, int kStride, int kKernel>(const Panel&) {
    using Rows = ExpandedRows<kVectors, kStride, kKernel>;
    most = std::max(most,
                    Rows::scratch(block) + rows_together(block) * block.out_width * Rows::kPanel);
  });
  return static_cast<std::size_t>(most);
}

/// Zeros, project_bias, then the panels.
void pack_block(const InvertedResidual& block, const InvertedResidualWeights& w, float* to) {
  to = pack_vector(nullptr, 0, padded(block.out), to);
  to = pack_vector(w.project_bias, block.out, padded(block.out), to);
  const std::int64_t expanded = block.expanded;
  for_each_panel(expanded, panel_vectors(block), [&](const Panel& panel) {
    const std::int64_t width = panel.vectors * kLanes;
    to = pack_vector(w.expand_bias + panel.begin, panel.count, width, to);
    to = pack_panel({w.expand, expanded, 1}, 0, expand_depth(block), panel, to);
    to = pack_vector(w.depthwise_bias + panel.begin, panel.count, width, to);
    to = pack_panel({w.depthwise, expanded, 1}, 0, kTaps, panel, to);
    to = pack_rows({w.project, block.out, 1}, panel.begin, panel.count, width, block.out, to);
  });
}

/// What a panel finds in y's place: with: a vector in place of what is there; null: what is there.
struct RowBegin {
  const float* with;
  bool adds_x;
};

template <int kVectors, int kStride, int kKernel>
HWY_NOINLINE void run_panel(const InvertedResidual& block, const InvertedResidualRun& run,
                            const PanelWeights& weights, const RowBegin& begin) {
  using Rows = ExpandedRows<kVectors, kStride, kKernel>;
  float* const d = run.scratch + Rows::scratch(block);
  const std::int64_t x_size = std::int64_t{block.in_height} * block.in_width * block.in;
  const std::int64_t y_row = std::int64_t{block.out_width} * block.out;
  const int together = rows_together(block);
  Rows rows(block, weights, run.scratch);
  for (int picture = 0; picture < run.pictures; ++picture) {
    const float* x = run.x + picture * x_size;
    float* y = run.y + picture * (block.out_height * y_row);
    rows.start(x, run.first_row);
    for (int i = run.first_row; i < run.last_row; i += together) {
      const int end = std::min(i + together, run.last_row);
      rows.depthwise(i, end, d);
      add_to_row({.to = y + i * y_row,
                  .begin_with = begin.with,
                  .and_add = begin.adds_x ? x + i * y_row : nullptr,
                  .pixels = std::int64_t{end - i} * block.out_width,
                  .channels = block.out},
                 Rows::kPanel, d, weights.project);
    }
  }
}

void run_block(const InvertedResidual& block, const InvertedResidualRun& run) {
  const float* const zeros = run.packed;
  const float* const bias = zeros + padded(block.out);
  const float* packed = bias + padded(block.out);
  const int last = run.last_channel == 0 ? block.expanded : run.last_channel;
  for_each_block_panel(block,
                       [&]<int kVectors, int kStride, int kKernel>(const Panel& panel) HWY_ATTR {
                         constexpr std::int64_t kPanel = kVectors * kLanes;
                         const PanelWeights weights(block, packed, kPanel);
                         packed += PanelWeights::size(block, kPanel);
                         if (panel.begin < run.first_channel || panel.begin >= last) return;
                         RowBegin begin{nullptr, false};
                         if (panel.begin == run.first_channel)
                           begin.with = panel.begin == 0 ? bias : zeros;
                         if (panel.begin == 0) begin.adds_x = block.residual;
                         run_panel<kVectors, kStride, kKernel>(block, run, weights, begin);
                       });
}

}  // namespace
}  // namespace engraft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engraft {

HWY_EXPORT(block_packed_size);
HWY_EXPORT(block_scratch_size);
HWY_EXPORT(pack_block);
HWY_EXPORT(run_block);

bool is_fusable(const InvertedResidual& block) {
  constexpr int kMostLanes = 16;
  const auto fits = [](int size, int out, int stride, int pad) {
    return size > 0 && out == (size + stride - 1) / stride &&
           (pad == 1 || (pad == 0 && stride == 2));
  };
  const Window &e = block.expand, &d = block.depthwise;
  const bool pointwise = e.kernel == 1 && e.stride == 1 && e.pad_top == 0 && e.pad_left == 0 &&
                         block.in_height == block.height && block.in_width == block.width &&
                         (d.stride == 1 || d.stride == 2);
  const bool stem = e.kernel == 3 && e.stride == 2 && d.stride == 1 && !block.residual &&
                    fits(block.in_height, block.height, 2, e.pad_top) &&
                    fits(block.in_width, block.width, 2, e.pad_left);
  return (pointwise || stem) && d.kernel == 3 && block.in > 0 && block.out > 0 &&
         block.expanded > 0 && block.expanded % kMostLanes == 0 &&
         fits(block.height, block.out_height, d.stride, d.pad_top) &&
         fits(block.width, block.out_width, d.stride, d.pad_left) &&
         (!block.residual || (block.in == block.out && d.stride == 1));
}

std::size_t packed_size(const InvertedResidual& block) {
  return HWY_DYNAMIC_DISPATCH(block_packed_size)(block);
}

std::size_t scratch_size(const InvertedResidual& block) {
  return HWY_DYNAMIC_DISPATCH(block_scratch_size)(block);
}

void pack(const InvertedResidual& block, const InvertedResidualWeights& weights, float* packed) {
  HWY_DYNAMIC_DISPATCH(pack_block)(block, weights, packed);
}

void inverted_residual(const InvertedResidual& block, const InvertedResidualRun& run) {
  assert(is_fusable(block));
  assert(run.last_channel == 0 || (block.expanded % kChannelStep == 0 &&
                                   std::min(block.height, block.width) <= kNarrowSide));
  HWY_DYNAMIC_DISPATCH(run_block)(block, run);
}

}  // namespace engraft
#endif
