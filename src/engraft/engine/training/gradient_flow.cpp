#include "engraft/engine/training/gradient_flow.h"

#include <algorithm>

namespace engraft {
namespace {

class FlowFinder {
 public:
  FlowFinder(const StepList& list, int value_count)
      : list_(list), maker_(static_cast<std::size_t>(value_count), -1), readers_(maker_.size()) {
    flow_.steps.resize(list.steps.size());
    flow_.wanted.assign(maker_.size(), false);
    flow_.storage.resize(maker_.size());
    for (std::size_t v = 0; v < maker_.size(); ++v) flow_.storage[v] = static_cast<ValueId>(v);
    for (int i = 0; i < static_cast<int>(list.steps.size()); ++i) {
      const Step& step = step_at(i);
      maker_[at(step.output)] = i;
      readers_[at(step.input)].push_back(i);
      if (step.addend) readers_[at(*step.addend)].push_back(i);
    }
  }

  GradientFlow find() {
    for (const Step& step : list_.steps) flow_.wanted[at(step.output)] = true;
    for (int i = static_cast<int>(list_.steps.size()) - 1; i >= 0; --i) find_modes(i);
    for (int i = 0; i < static_cast<int>(list_.steps.size()); ++i) find_gates(i);
    for (int i = static_cast<int>(list_.steps.size()) - 1; i >= 0; --i) {
      if (step_at(i).op == Op::kAdd) share_memory(i);
    }
    return std::move(flow_);
  }

 private:
  static std::size_t at(ValueId value) { return static_cast<std::size_t>(value); }
  [[nodiscard]] const Step& step_at(int i) const {
    return list_.steps[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] StepGradients& gradients_at(int i) {
    return flow_.steps[static_cast<std::size_t>(i)];
  }

  void find_modes(int i) {
    const Step& step = step_at(i);
    gradients_at(i).d_input = mode(step.input, i);
    if (step.addend) gradients_at(i).d_second = mode(*step.addend, i);
    // One value twice: the first mention writes, the second adds.
    if (step.addend == step.input && gradients_at(i).d_second == InputGradient::kWrite) {
      gradients_at(i).d_second = InputGradient::kAdd;
    }
  }

  [[nodiscard]] InputGradient mode(ValueId value, int reader) const {
    if (!flow_.wanted[at(value)]) return InputGradient::kNone;
    // The caller has written the output's gradient before anybody else.
    if (value == list_.output) return InputGradient::kAdd;
    return readers_[at(value)].back() == reader ? InputGradient::kWrite : InputGradient::kAdd;
  }

  /// A depthwise convolution that alone reads a value gates its gradient in passing; otherwise the
  /// step that made the value does.
  void find_gates(int i) {
    const Step& step = step_at(i);
    const Gate gate = gate_of(step);
    if (gate == Gate::kOpen) return;
    const auto& readers = readers_[at(step.output)];
    const bool passed_on = step.op != Op::kBatchNorm && step.output != list_.output &&
                           readers.size() == 1 && step_at(readers[0]).op == Op::kDepthwiseConv;
    (passed_on ? gradients_at(readers[0]).input_gate : gradients_at(i).output_gate) = gate;
  }

  /// Lets both operands of an addition take over the memory of its gradient, where one of them
  /// (`first`) is through with it before anybody adds to or gates that of the other.
  void share_memory(int i) {
    const Step& step = step_at(i);
    const ValueId a = step.input;
    const ValueId b = *step.addend;
    if (can_share(b, a, i) || can_share(a, b, i)) {
      const ValueId memory = flow_.storage[at(step.output)];
      flow_.storage[at(a)] = memory;
      flow_.storage[at(b)] = memory;
    }
  }

  [[nodiscard]] bool can_share(ValueId first, ValueId other, int addition) {
    if (first == other || first == list_.output || other == list_.output) return false;
    if (!flow_.wanted[at(first)] || readers_[at(first)].size() != 1) return false;
    const int maker = maker_[at(first)];
    if (gradients_at(maker).output_gate != Gate::kOpen || !keeps_gradient(step_at(maker))) {
      return false;
    }
    if (!flow_.wanted[at(other)]) return true;
    const auto& readers = readers_[at(other)];
    if (readers.back() != addition) return false;
    return maker_[at(other)] < maker &&
           std::all_of(readers.begin(), readers.end() - 1, [&](int r) { return r < maker; });
  }

  /// False where the memory of its dy is handed on to yet other values.
  [[nodiscard]] static bool keeps_gradient(const Step& step) { return step.op != Op::kAdd; }

  const StepList& list_;
  std::vector<int> maker_;                 ///< step that makes a value; -1: none
  std::vector<std::vector<int>> readers_;  ///< steps that read a value, ascending
  GradientFlow flow_;
};

}  // namespace

Gate gate_of(const Step& step) {
  if (step.activation == Op::kRelu) return Gate::kRelu;
  if (step.activation == Op::kRelu6) return Gate::kRelu6;
  return Gate::kOpen;
}

GradientFlow find_gradient_flow(const StepList& list, int value_count) {
  return FlowFinder(list, value_count).find();
}

}  // namespace engraft
