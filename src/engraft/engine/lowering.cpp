#include "engraft/engine/lowering.h"

#include <algorithm>
#include <set>

namespace engraft {
namespace {

bool is_convolution(Op op) {
  return op == Op::kConv || op == Op::kDepthwiseConv;
}

bool takes_activation(const Step& step) {
  return is_convolution(step.op) || step.op == Op::kDense || step.has_two_operands();
}

class Lowering {
 public:
  Lowering(const Graph& graph, LowerFor use)
      : graph_(graph),
        use_(use),
        alias_(static_cast<std::size_t>(graph.value_count())),
        needed_(alias_.size(), false),
        last_reader_(alias_.size(), -1),
        readers_(alias_.size(), 0) {
    for (std::size_t i = 0; i < alias_.size(); ++i) alias_[i] = static_cast<ValueId>(i);
    for (const Node& node : graph.nodes()) {
      if (vanishes(node)) alias_[at(node.output)] = resolve(node.inputs[0]);
    }
    count_readers();
  }

  StepList run() {
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.nodes()[i];
      if (vanishes(node) || !needed_[at(node.output)]) continue;
      if (fuse_activation(node) || fuse_addition(node, static_cast<int>(i))) continue;
      append(node);
    }
    return {std::move(steps_), graph_.input(), resolve(graph_.output())};
  }

 private:
  static std::size_t at(ValueId value) { return static_cast<std::size_t>(value); }
  /// In inference dropout is the identity: its output is another name of its input.
  [[nodiscard]] bool vanishes(const Node& node) const {
    return node.op == Op::kDropout && use_ == LowerFor::kInference;
  }
  [[nodiscard]] ValueId resolve(ValueId value) const { return alias_[at(value)]; }

  void count_readers() {
    const auto& nodes = graph_.nodes();
    needed_[at(resolve(graph_.output()))] = true;
    readers_[at(resolve(graph_.output()))] = 1;
    last_reader_[at(resolve(graph_.output()))] = static_cast<int>(nodes.size());
    for (int i = static_cast<int>(nodes.size()) - 1; i >= 0; --i) {
      const Node& node = nodes[static_cast<std::size_t>(i)];
      if (vanishes(node) || !needed_[at(node.output)]) continue;
      for (const ValueId input : node.inputs) {
        const std::size_t value = at(resolve(input));
        needed_[value] = true;
        ++readers_[value];
        last_reader_[value] = std::max(last_reader_[value], i);
      }
    }
  }

  std::vector<Step>::iterator maker_of(ValueId value) {
    return std::find_if(steps_.begin(), steps_.end(),
                        [&](const Step& step) { return step.output == value; });
  }

  void append(const Node& node) {
    Step step{.op = node.op,
              .name = node.name,
              .input = resolve(node.inputs[0]),
              .output = node.output,
              .parameters = node.parameters,
              .attributes = node.attributes};
    if (step.has_two_operands()) step.addend = resolve(node.inputs[1]);
    steps_.push_back(std::move(step));
  }

  [[nodiscard]] bool takes(const Step& step, Op activation) const {
    if (use_ == LowerFor::kInference) return takes_activation(step);
    const bool can_be_told = activation == Op::kRelu || activation == Op::kRelu6;
    return can_be_told && !step.has_two_operands() &&
           (takes_activation(step) || step.op == Op::kBatchNorm);
  }

  bool fuse_activation(const Node& node) {
    if (!is_activation(node.op)) return false;
    const ValueId x = resolve(node.inputs[0]);
    const auto maker = maker_of(x);
    if (maker == steps_.end() || readers_[at(x)] != 1) return false;
    if (!takes(*maker, node.op) || maker->activation) return false;
    maker->activation = node.op;
    maker->output = node.output;
    return true;
  }

  bool fuse_addition(const Node& node, int index) {
    if (node.op != Op::kAdd || use_ == LowerFor::kTraining) return false;
    const ValueId a = resolve(node.inputs[0]);
    const ValueId b = resolve(node.inputs[1]);
    return fuse_addition_into(b, a, node, index) || fuse_addition_into(a, b, node, index);
  }

  /// Lets the convolution that makes `product` add its result to `addend`, in place. It then runs
  /// where the addition stood, so nothing that it reads may have been overwritten by then.
  bool fuse_addition_into(ValueId product, ValueId addend, const Node& node, int index) {
    const auto maker = maker_of(product);
    if (maker == steps_.end() || product == addend || readers_[at(product)] != 1) return false;
    if (!is_convolution(maker->op) || maker->addend || maker->activation) return false;
    if (addend == graph_.input() || last_reader_[at(addend)] != index) return false;
    if (maker->input == addend || overwritten_.contains(maker->input)) return false;
    Step step = std::move(*maker);
    steps_.erase(maker);
    step.addend = addend;
    step.output = node.output;
    overwritten_.insert(addend);
    steps_.push_back(std::move(step));
    return true;
  }

  const Graph& graph_;
  LowerFor use_;
  std::vector<ValueId> alias_;
  std::vector<bool> needed_;
  std::vector<int> last_reader_;  ///< node that reads a value last
  std::vector<int> readers_;      ///< the graph's output counts as one
  std::vector<Step> steps_;
  std::set<ValueId> overwritten_;
};

}  // namespace

bool is_activation(Op op) {
  return op == Op::kRelu || op == Op::kRelu6 || op == Op::kSigmoid || op == Op::kHardSigmoid ||
         op == Op::kHardSwish;
}

StepList lower(const Graph& graph, LowerFor use) {
  return Lowering(graph, use).run();
}

}  // namespace engraft
