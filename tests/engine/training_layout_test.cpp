#include "engraft/engine/training/training_layout.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "engraft/engine/stages.h"
#include "engraft/engine/training/training_plan.h"
#include "engraft/graph/batch_norm_folding.h"
#include "engraft/graph/mobilenet_v2.h"
#include "gradient_networks.h"

namespace engraft::training_layout_test {

constexpr int kMicroBatch = 4;

/// Everything that a layout is made of, with groups divided as they are for a plan: at stages, and
/// where batch norms meet.
struct Layout {
  explicit Layout(Graph given, BatchNormMode mode, int micro_batch = kMicroBatch)
      : graph(mode == BatchNormMode::kFrozen ? fold_batch_norm(given, DropoutNodes::kKeep).graph
                                             : std::move(given)),
        list(lower(graph, LowerFor::kTraining)),
        flow(find_gradient_flow(list, graph.value_count())),
        pictures(micro_batch) {
    const std::vector<Stage> stages = split_into_stages(list, graph, micro_batch);
    for (const Stage& stage : stages) {
      for (int i = stage.first; i < stage.last; ++i) {
        const auto norm = [&](int step) {
          return mode == BatchNormMode::kTrainable && step >= 0 &&
                 list.steps[static_cast<std::size_t>(step)].op == Op::kBatchNorm;
        };
        add(forward, stage, i, norm(i));
        add(backward, stage, i, norm(i - 1));
      }
    }
    for (std::size_t i = 0; i < list.steps.size(); ++i) {
      scratch.push_back(100 + 64 * i % 1000);
      state.push_back(i % 3 == 0 ? 200 + i : 0);
    }
    layout = TrainingLayout({.list = list,
                             .graph = graph,
                             .flow = flow,
                             .forward = forward,
                             .backward = backward,
                             .scratch_bytes = scratch,
                             .state_bytes = state,
                             .micro_batch = micro_batch});
  }

  static void add(std::vector<TrainingGroup>& groups, const Stage& stage, int step, bool begins) {
    if (step == stage.first || begins) {
      groups.push_back({.first = step, .last = step, .pictures = stage.pictures});
    }
    groups.back().last = step + 1;
  }
  [[nodiscard]] std::size_t bytes_of(ValueId value) const {
    return static_cast<std::size_t>(graph.shape(value).elements()) * sizeof(float);
  }

  Graph graph;
  StepList list;
  GradientFlow flow;
  int pictures;
  std::vector<TrainingGroup> forward, backward;
  std::vector<std::size_t> scratch, state;
  TrainingLayout layout;
};

/// Plays a micro-batch through, both ways, on a memory whose bytes know what was last written to
/// them: whoever reads something must find it whole. By 64 bytes, since everything is a multiple.
class Play {
 public:
  explicit Play(const Layout& at) : at_(at), memory_(at.layout.bytes() / kLine + 1, kNothing) {}

  void run() {
    for (int p = 0; p < at_.pictures; ++p) write(value(at_.list.input, p));
    for (const TrainingGroup& group : at_.forward) {
      for (int p = 0; p < at_.pictures; p += group.pictures) {
        for (int i = group.first; i < group.last; ++i) forward(i, p, group.pictures);
      }
    }
    for (int p = 0; p < at_.pictures; ++p) {
      read(value(at_.list.output, p));
      write(gradient(at_.list.output, p));
    }
    for (auto group = at_.backward.rbegin(); group != at_.backward.rend(); ++group) {
      for (int p = 0; p < at_.pictures; p += group->pictures) {
        for (int i = group->last - 1; i >= group->first; --i) backward(i, p, group->pictures);
      }
    }
  }

 private:
  static constexpr std::size_t kLine = 64;
  static constexpr int kNothing = -1;
  struct Thing {
    std::string name;
    std::size_t offset = 0, bytes = 0;
  };

  Thing value(ValueId v, int picture) const {
    return {at_.graph.name(v) + " " + std::to_string(picture), at_.layout.value_offset(v, picture),
            at_.bytes_of(v)};
  }
  /// Gradients that share memory are one thing.
  Thing gradient(ValueId v, int picture) const {
    const ValueId owner = at_.flow.storage[static_cast<std::size_t>(v)];
    return {"d " + at_.graph.name(owner) + " " + std::to_string(picture),
            at_.layout.gradient_offset(v, picture), at_.bytes_of(v)};
  }
  Thing scratch(int step) const {
    return {"scratch", at_.layout.scratch_offset(step),
            at_.scratch[static_cast<std::size_t>(step)]};
  }
  Thing state(int step, int chunk) const {
    return {"state " + std::to_string(step) + " " + std::to_string(chunk),
            at_.layout.state_offset(step, chunk), at_.state[static_cast<std::size_t>(step)]};
  }

  int id_of(const std::string& name) {
    return ids_.try_emplace(name, static_cast<int>(ids_.size())).first->second;
  }
  /// State of one chunk lies right behind the one before, so its ends may share a line with others.
  template <typename Each>
  void for_each_line(const Thing& thing, const Each& each) {
    ASSERT_LE(thing.offset + thing.bytes, at_.layout.bytes()) << thing.name;
    const std::size_t begin = (thing.offset + kLine - 1) / kLine;
    for (std::size_t i = begin; i < (thing.offset + thing.bytes) / kLine; ++i) each(memory_[i]);
  }
  void write(const Thing& thing) {
    const int id = id_of(thing.name);
    for_each_line(thing, [&](int& line) { line = id; });
  }
  void read(const Thing& thing) {
    const int id = id_of(thing.name);
    bool whole = true;
    for_each_line(thing, [&](int line) { whole = whole && line == id; });
    EXPECT_TRUE(whole) << thing.name << " was overwritten";
  }

  void forward(int index, int first, int pictures) {
    const Step& step = at_.list.steps[static_cast<std::size_t>(index)];
    write(scratch(index));
    write(state(index, first / pictures));
    for (int p = first; p < first + pictures; ++p) {
      read(value(step.input, p));
      if (step.addend) read(value(*step.addend, p));
      write(value(step.output, p));
    }
    for (int p = first; p < first + pictures; ++p) read(value(step.output, p));
    read(scratch(index));
  }

  void backward(int index, int first, int pictures) {
    const Step& step = at_.list.steps[static_cast<std::size_t>(index)];
    const StepGradients& gradients = at_.flow.steps[static_cast<std::size_t>(index)];
    write(scratch(index));
    const auto pass = [&](ValueId v, int p, InputGradient mode) {
      if (mode == InputGradient::kAdd) read(gradient(v, p));
      if (mode != InputGradient::kNone) write(gradient(v, p));
    };
    for (int p = first; p < first + pictures; ++p) {
      read(gradient(step.output, p));
      pass(step.input, p, gradients.d_input);
      if (step.addend) pass(*step.addend, p, gradients.d_second);
    }
    for (int p = first; p < first + pictures; ++p) {
      read(gradient(step.output, p));
      if (backward_reads_input(step) || gradients.input_gate != Gate::kOpen) {
        read(value(step.input, p));
        if (step.addend) read(value(*step.addend, p));
      }
      if (backward_reads_output(step)) read(value(step.output, p));
    }
    read(scratch(index));
    read(state(index, first / pictures));
  }

  const Layout& at_;
  std::vector<int> memory_;
  std::map<std::string, int> ids_;
};

class TrainingLayoutTest : public testing::TestWithParam<BatchNormMode> {};

TEST_P(TrainingLayoutTest, NothingOfMobileNetV2IsOverwrittenBeforeItsLastUse) {
  for (const int size : {64, 224}) {
    const Layout layout(mobilenet_v2({.image_size = size, .classes = 5}), GetParam());
    Play(layout).run();
  }
}

TEST_P(TrainingLayoutTest, NothingOfANetworkInStagesIsOverwrittenAtAnyMicroBatch) {
  for (const int micro_batch : {1, 2, 3, 4, 8}) {
    const Layout layout(test::staged_mobilenet(), GetParam(), micro_batch);
    EXPECT_EQ(layout.forward.front().pictures, 1);
    EXPECT_EQ(layout.forward.back().pictures, micro_batch);
    Play(layout).run();
  }
}

TEST_P(TrainingLayoutTest, NothingOfANetworkThatRunsPictureByPictureIsOverwritten) {
  const Layout layout(test::unstaged_network(), GetParam());
  EXPECT_EQ(layout.forward.back().pictures, 1);
  Play(layout).run();
}

/// Squeeze and excitation, hard-swish, additions of all kinds, dropout.
TEST_P(TrainingLayoutTest, NothingOfAGraphWithManyBranchesIsOverwritten) {
  GraphBuilder g({48, 48, 4});
  ValueId x = g.conv("stem", g.input(), {.channels = 128});
  x = g.apply(Op::kHardSwish, "swish", g.batch_norm("bn", x, 1e-3f));
  const ValueId big = x;
  ValueId gate = g.apply(Op::kGlobalAveragePool, "squeeze", x);
  gate = g.apply(Op::kRelu, "relu", g.dense("reduce", gate, 16));
  gate = g.apply(Op::kHardSigmoid, "gate", g.dense("excite", gate, 128));
  x = g.add("add1", g.multiply("scaled", x, gate), big);
  x = g.apply(Op::kRelu6, "relu6", g.batch_norm("bn2", g.add("add2", x, x), 1e-3f));
  x = g.depthwise_conv("down", x, {.kernel = 3, .stride = 2});
  x = g.add("add3", x, g.apply(Op::kSigmoid, "sigmoid", x));
  x = g.dropout("drop", g.apply(Op::kGlobalAveragePool, "pool", x), 0.5f);
  const Layout layout(g.finish(g.apply(Op::kSoftmax, "softmax", g.dense("top", x, 4))), GetParam());
  Play(layout).run();
}

TEST_P(TrainingLayoutTest, EverythingBeginsOnACacheLine) {
  const Layout layout(mobilenet_v2({.image_size = 96}), GetParam());
  for (ValueId v = 0; v < layout.graph.value_count(); ++v) {
    EXPECT_EQ(layout.layout.value_offset(v, 0) % kBufferAlignment, 0u);
    EXPECT_EQ(layout.layout.gradient_offset(v, 0) % kBufferAlignment, 0u);
  }
}

/// All values must be kept for the way back, so a workspace cannot be smaller than they are. It may
/// hardly be larger: the gradients find a place where values are no longer needed.
TEST_P(TrainingLayoutTest, TakesLittleMoreThanTheValuesThatTheWayBackReads) {
  const Layout layout(mobilenet_v2({.classes = 5}), GetParam());
  std::set<ValueId> kept;
  for (const Step& step : layout.list.steps) {
    if (backward_reads_input(step)) kept.insert(step.input);
    if (backward_reads_output(step)) kept.insert(step.output);
  }
  std::size_t bytes = 0;
  for (const ValueId v : kept) bytes += layout.bytes_of(v) * kMicroBatch;
  EXPECT_GE(layout.layout.bytes(), bytes);
  EXPECT_LE(layout.layout.bytes(), bytes + bytes / 20);
}

INSTANTIATE_TEST_SUITE_P(Modes, TrainingLayoutTest,
                         testing::Values(BatchNormMode::kFrozen, BatchNormMode::kTrainable),
                         [](const auto& spec) {
                           return spec.param == BatchNormMode::kFrozen ? "Frozen" : "Trainable";
                         });

}  // namespace engraft::training_layout_test
