#include "engraft/engine/workspace_layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"

namespace engraft {
namespace {

constexpr std::size_t kMaxWorkspace = std::size_t{32} << 30;

std::size_t stage_of(std::span<const Stage> stages, int step) {
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (step < stages[i].last) return i;
  }
  return stages.size() - 1;
}

[[noreturn]] void too_large(const WorkspaceLayout::Spec& spec) {
  throw Error(ErrorKind::kUsage,
              fmt::format("a batch of {} pictures of {} needs more than {} GB of memory; take a "
                          "smaller batch or smaller pictures",
                          spec.batch, spec.graph.shape(spec.graph.input()).to_string(),
                          kMaxWorkspace >> 30));
}

}  // namespace

WorkspaceLayout::WorkspaceLayout(const Spec& spec) {
  find_lifetimes(spec);
  give_places(spec);
  if (layout_.bytes > kMaxWorkspace) too_large(spec);
}

void WorkspaceLayout::find_lifetimes(const Spec& spec) {
  const int end = static_cast<int>(spec.list.steps.size());
  storage_of_.resize(static_cast<std::size_t>(spec.graph.value_count()));
  const auto make = [&](ValueId value, int step) {
    const auto values = static_cast<std::size_t>(spec.graph.shape(value).elements());
    if (values > kMaxWorkspace / sizeof(float)) too_large(spec);
    storage_of_[static_cast<std::size_t>(value)] = storages_.size();
    storages_.push_back({.picture_bytes = values * sizeof(float),
                         .first_step = step,
                         .last_step = step,
                         .whole_batch = false});
  };
  const auto storage = [&](ValueId value) -> Storage& {
    return storages_[storage_of_[static_cast<std::size_t>(value)]];
  };

  make(spec.list.input, 0);
  for (int i = 0; i < end; ++i) {
    const Step& step = spec.list.steps[static_cast<std::size_t>(i)];
    storage(step.input).last_step = i;
    if (step.addend) storage(*step.addend).last_step = i;
    if (step.in_place()) {
      storage_of_[static_cast<std::size_t>(step.output)] =
          storage_of_[static_cast<std::size_t>(*step.addend)];
    } else {
      make(step.output, i);
    }
  }
  // The input keeps its values through the whole run, so that it can be run again.
  for (const ValueId value : {spec.list.input, spec.list.output}) {
    storage(value).last_step = end;
    storage(value).whole_batch = true;
  }
}

void WorkspaceLayout::give_places(const Spec& spec) {
  std::vector<Buffer> buffers;
  for (Storage& storage : storages_) {
    const Stage& first = spec.stages[stage_of(spec.stages, storage.first_step)];
    const Stage& last = spec.stages[stage_of(spec.stages, storage.last_step)];
    storage.whole_batch = storage.whole_batch || &first != &last;
    Buffer buffer{.bytes = storage.picture_bytes,
                  .first_step = storage.first_step,
                  .last_step = storage.last_step};
    if (storage.whole_batch) {  // a stage's later rounds must not touch what earlier ones left
      buffer.first_step = std::min(buffer.first_step, first.first);
      buffer.last_step = std::max(buffer.last_step, last.last);
    }
    const int pictures = storage.whole_batch ? spec.batch : first.pictures;
    if (buffer.bytes > kMaxWorkspace / static_cast<std::size_t>(pictures)) too_large(spec);
    buffer.bytes *= static_cast<std::size_t>(pictures);
    buffers.push_back(buffer);
  }
  for (std::size_t i = 0; i < spec.list.steps.size(); ++i) {
    scratch_.push_back(buffers.size());
    const int step = static_cast<int>(i);
    buffers.push_back({.bytes = spec.scratch_bytes[i], .first_step = step, .last_step = step});
  }
  layout_ = lay_out(buffers);
}

std::size_t WorkspaceLayout::value_offset(ValueId value, int picture) const {
  const std::size_t index = storage_of_[static_cast<std::size_t>(value)];
  const Storage& storage = storages_[index];
  const auto skipped = static_cast<std::size_t>(storage.whole_batch ? picture : 0);
  return layout_.offsets[index] + skipped * storage.picture_bytes;
}

}  // namespace engraft
