#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "engraft/base/arena.h"
#include "engraft/base/error.h"
#include "engraft/base/rng.h"
#include "engraft/engine/memory_layout.h"
#include "engraft/engine/stages.h"
#include "engraft/engine/workspace_layout.h"
#include "engraft/graph/graph_builder.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/surgery.h"
#include "support/random_weights.h"

namespace engraft::memory_test {

TEST(MemoryLayout, BuffersThatFollowEachOtherShareMemory) {
  const Buffer buffers[] = {{.bytes = 100, .first_step = 0, .last_step = 1},
                            {.bytes = 100, .first_step = 1, .last_step = 2},
                            {.bytes = 100, .first_step = 2, .last_step = 3}};
  const MemoryLayout layout = lay_out(buffers);
  EXPECT_EQ(layout.bytes, 256u);
  EXPECT_EQ(layout.offsets[0], layout.offsets[2]);
}

TEST(MemoryLayout, NoBuffersTakeNoMemory) {
  EXPECT_EQ(lay_out({}).bytes, 0u);
}

TEST(MemoryLayout, BuffersThatLiveTogetherNeverOverlap) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    std::vector<Buffer> buffers(1 + rng.below(40));
    for (Buffer& buffer : buffers) {
      buffer.bytes = rng.below(8) == 0 ? 0 : 1 + rng.below(5000);
      buffer.first_step = static_cast<int>(rng.below(20));
      buffer.last_step = buffer.first_step + static_cast<int>(rng.below(6));
    }
    const MemoryLayout layout = lay_out(buffers);
    std::size_t sum = 0;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      const std::size_t begin = layout.offsets[i], end = begin + buffers[i].bytes;
      EXPECT_EQ(begin % kBufferAlignment, 0u);
      EXPECT_LE(end, layout.bytes);
      sum += buffers[i].bytes + kBufferAlignment;
      for (std::size_t j = 0; j < i; ++j) {
        const bool together = buffers[i].first_step <= buffers[j].last_step &&
                              buffers[j].first_step <= buffers[i].last_step;
        const bool apart =
            end <= layout.offsets[j] || layout.offsets[j] + buffers[j].bytes <= begin;
        EXPECT_TRUE(!together || apart || buffers[i].bytes == 0 || buffers[j].bytes == 0)
            << "seed " << seed;
      }
    }
    EXPECT_LE(layout.bytes, sum);
  }
}

TEST(Arena, IsZeroedAlignedAndMovable) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4097}, std::size_t{5} << 20}) {
    Arena arena(bytes);
    ASSERT_NE(arena.data(), nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.data()) % 4096, 0u);
    EXPECT_TRUE(std::all_of(arena.data(), arena.data() + bytes,
                            [](std::byte byte) { return byte == std::byte{0}; }));
    arena.data()[bytes - 1] = std::byte{7};
    Arena moved = std::move(arena);
    EXPECT_EQ(moved.data()[bytes - 1], std::byte{7});
    Arena assigned(10);
    assigned = std::move(moved);
    EXPECT_EQ(assigned.data()[bytes - 1], std::byte{7});
  }
  EXPECT_EQ(Arena(0).data(), nullptr);
}

TEST(Arena, MoreThanThereIsIsAnError) {
  EXPECT_THROW(Arena(std::size_t{1} << 60), Error);
}

Network folded_mobilenet(int image_size) {
  const Graph graph = mobilenet_v2({.width = 1, .image_size = image_size, .classes = 10});
  return fold_batch_norm({graph, test::random_weights(graph)});
}

TEST(Stages, CoverEveryStepOnce) {
  const Network network = folded_mobilenet(224);
  const StepList list = lower(network.graph);
  for (const int batch : {1, 2, 4, 7}) {
    int next = 0;
    for (const Stage& stage : split_into_stages(list, network.graph, batch)) {
      EXPECT_EQ(stage.first, next);
      EXPECT_GT(stage.last, stage.first);
      EXPECT_EQ(batch % stage.pictures, 0);
      next = stage.last;
    }
    EXPECT_EQ(next, static_cast<int>(list.steps.size()));
  }
}

TEST(Stages, LargeEarlyActivationsRunPictureByPicture) {
  const Network network = folded_mobilenet(224);
  const StepList list = lower(network.graph);
  const auto stages = split_into_stages(list, network.graph, 4);
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[0].pictures, 1);
  EXPECT_EQ(stages[1].pictures, 4);
  EXPECT_EQ(list.steps[static_cast<std::size_t>(stages[1].first)].name, "block_6_expand");
}

TEST(Stages, SmallNetworksRunTheWholeBatchAtOnce) {
  const Network network = folded_mobilenet(32);
  const StepList list = lower(network.graph);
  EXPECT_EQ(split_into_stages(list, network.graph, 4).size(), 1u);
  EXPECT_EQ(split_into_stages(list, network.graph, 1).size(), 1u);
}

TEST(WorkspaceLayout, ValuesThatCrossStagesHaveAPlaceForEachPicture) {
  const Network network = folded_mobilenet(224);
  const StepList list = lower(network.graph);
  const auto stages = split_into_stages(list, network.graph, 4);
  const std::vector<std::size_t> scratch(list.steps.size(), 0);
  const WorkspaceLayout layout({.list = list,
                                .graph = network.graph,
                                .stages = stages,
                                .scratch_bytes = scratch,
                                .batch = 4});
  const auto stride = [&](ValueId value) {
    return layout.value_offset(value, 1) - layout.value_offset(value, 0);
  };
  const auto bytes = [&](ValueId value) {
    return static_cast<std::size_t>(network.graph.shape(value).elements()) * sizeof(float);
  };
  const ValueId border = list.steps[static_cast<std::size_t>(stages[1].first)].input;
  EXPECT_EQ(stride(list.input), bytes(list.input));
  EXPECT_EQ(stride(border), bytes(border));
  EXPECT_EQ(stride(list.output), bytes(list.output));
  EXPECT_EQ(stride(list.steps[0].output), 0u);
  EXPECT_LT(layout.bytes(), std::size_t{12} << 20);
}

}  // namespace engraft::memory_test
