#include "engraft/engine/training/training_layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"

namespace engraft {
namespace {

/// Times at which a group's steps run, and at which they run backward, both included. A group that
/// works chunk by chunk comes back to its steps, so all of them count as running at once.
class Clock {
 public:
  explicit Clock(const TrainingLayout::Spec& spec)
      : steps_(static_cast<int>(spec.list.steps.size())),
        forward_(by_step(spec.forward, spec.micro_batch)),
        backward_(by_step(spec.backward, spec.micro_batch)) {}
  [[nodiscard]] int forward_begin(int step) const { return at(forward_, step).first; }
  [[nodiscard]] int forward_end(int step) const { return at(forward_, step).last - 1; }
  [[nodiscard]] int backward_begin(int step) const { return begin(at(backward_, step)); }
  [[nodiscard]] int backward_end(int step) const { return end(at(backward_, step)); }
  [[nodiscard]] int begin(const TrainingGroup& backward) const {
    return 2 * steps_ - backward.last;
  }
  [[nodiscard]] int end(const TrainingGroup& backward) const {
    return 2 * steps_ - 1 - backward.first;
  }
  /// When the last step has run forward and none backward.
  [[nodiscard]] int turn() const { return steps_; }

 private:
  static std::vector<TrainingGroup> by_step(std::span<const TrainingGroup> groups,
                                            int micro_batch) {
    std::vector<TrainingGroup> result;
    for (const TrainingGroup& group : groups) {
      const bool in_one_go = group.pictures == micro_batch;
      for (int i = group.first; i < group.last; ++i) {
        result.push_back(in_one_go ? TrainingGroup{i, i + 1, group.pictures} : group);
      }
    }
    return result;
  }
  static const TrainingGroup& at(const std::vector<TrainingGroup>& groups, int step) {
    return groups[static_cast<std::size_t>(step)];
  }

  int steps_;
  std::vector<TrainingGroup> forward_, backward_;  ///< of each step
};

std::size_t bytes_of(const TrainingLayout::Spec& spec, ValueId value) {
  return static_cast<std::size_t>(spec.graph.shape(value).elements()) * sizeof(float);
}

}  // namespace

void TrainingLayout::Storage::extend(int from, int to) {
  first = used() ? std::min(first, from) : from;
  last = std::max(last, to);
}

TrainingLayout::TrainingLayout(const Spec& spec) : gradient_storage_(spec.flow.storage) {
  state_bytes_.assign(spec.state_bytes.begin(), spec.state_bytes.end());
  find_values(spec);
  find_gradients(spec);
  give_places(spec);
}

void TrainingLayout::find_values(const Spec& spec) {
  const Clock clock(spec);
  values_.resize(static_cast<std::size_t>(spec.graph.value_count()));
  const auto storage = [&](ValueId value) -> Storage& {
    Storage& found = values_[static_cast<std::size_t>(value)];
    found.picture_bytes = bytes_of(spec, value);
    found.pictures = spec.micro_batch;
    return found;
  };
  storage(spec.list.input).extend(0, 0);
  storage(spec.list.output).extend(clock.turn(), clock.turn());
  for (int i = 0; i < static_cast<int>(spec.list.steps.size()); ++i) {
    const Step& step = spec.list.steps[static_cast<std::size_t>(i)];
    const int last = backward_reads_input(step) ? clock.backward_end(i) : clock.forward_end(i);
    storage(step.input).extend(clock.forward_begin(i), last);
    if (step.addend) storage(*step.addend).extend(clock.forward_begin(i), last);
    storage(step.output)
        .extend(clock.forward_begin(i),
                backward_reads_output(step) ? clock.backward_end(i) : clock.forward_end(i));
  }
  // The input is filled before the first step runs.
  storage(spec.list.input).extend(0, clock.forward_end(0));
}

void TrainingLayout::find_gradients(const Spec& spec) {
  const Clock clock(spec);
  gradients_.resize(values_.size());
  const auto touch = [&](ValueId value, int from, int to) {
    if (!spec.flow.wanted[static_cast<std::size_t>(value)]) return;
    const ValueId owner = spec.flow.storage[static_cast<std::size_t>(value)];
    Storage& storage = gradients_[static_cast<std::size_t>(owner)];
    storage.picture_bytes = bytes_of(spec, owner);
    storage.extend(from, to);
  };
  touch(spec.list.output, clock.turn(), clock.turn());
  for (int i = 0; i < static_cast<int>(spec.list.steps.size()); ++i) {
    const Step& step = spec.list.steps[static_cast<std::size_t>(i)];
    const int begin = clock.backward_begin(i);
    const int end = clock.backward_end(i);
    for (const ValueId value : {step.input, step.output}) touch(value, begin, end);
    if (step.addend) touch(*step.addend, begin, end);
  }
  // The loss gives those of the output for the whole micro-batch at once.
  const auto output =
      static_cast<std::size_t>(spec.flow.storage[static_cast<std::size_t>(spec.list.output)]);
  for (std::size_t owner = 0; owner < gradients_.size(); ++owner) {
    Storage& storage = gradients_[owner];
    storage.pictures = spec.micro_batch;
    if (owner == output) continue;
    for (const TrainingGroup& group : spec.backward) {
      const bool within = storage.first >= clock.begin(group) && storage.last <= clock.end(group);
      if (within) storage.pictures = group.pictures;
    }
  }
}

void TrainingLayout::give_places(const Spec& spec) {
  std::vector<Buffer> buffers;
  const auto place = [&](Storage& storage) {
    storage.buffer = buffers.size();
    if (!storage.used()) return;
    buffers.push_back({.bytes = storage.picture_bytes * static_cast<std::size_t>(storage.pictures),
                       .first_step = storage.first,
                       .last_step = storage.last});
  };
  for (Storage& storage : values_) place(storage);
  for (Storage& storage : gradients_) place(storage);
  // Scratch and state are small; they keep a place of their own throughout.
  const int end = 2 * static_cast<int>(spec.list.steps.size());
  std::size_t most = 0;
  for (const std::size_t bytes : spec.scratch_bytes) most = std::max(most, bytes);
  scratch_.assign(spec.list.steps.size(), buffers.size());
  buffers.push_back({.bytes = most, .first_step = 0, .last_step = end});
  for (const TrainingGroup& group : spec.forward) {
    for (int i = group.first; i < group.last; ++i) {
      state_.push_back(buffers.size());
      const int chunks = spec.micro_batch / group.pictures;
      buffers.push_back({.bytes = spec.state_bytes[static_cast<std::size_t>(i)] *
                                  static_cast<std::size_t>(chunks),
                         .first_step = 0,
                         .last_step = end});
    }
  }
  layout_ = lay_out(buffers);
}

std::size_t TrainingLayout::offset(const Storage& storage, int picture) const {
  if (!storage.used()) return 0;
  const auto skipped = static_cast<std::size_t>(picture % storage.pictures);
  return layout_.offsets[storage.buffer] + skipped * storage.picture_bytes;
}

std::size_t TrainingLayout::value_offset(ValueId value, int picture) const {
  return offset(values_[static_cast<std::size_t>(value)], picture);
}

std::size_t TrainingLayout::gradient_offset(ValueId value, int picture) const {
  const ValueId owner = gradient_storage_[static_cast<std::size_t>(value)];
  return offset(gradients_[static_cast<std::size_t>(owner)], picture);
}

std::size_t TrainingLayout::scratch_offset(int step) const {
  return layout_.offsets[scratch_[static_cast<std::size_t>(step)]];
}

std::size_t TrainingLayout::state_offset(int step, int chunk) const {
  const auto i = static_cast<std::size_t>(step);
  return layout_.offsets[state_[i]] + state_bytes_[i] * static_cast<std::size_t>(chunk);
}

}  // namespace engraft
