#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engraft/engine/memory_layout.h"
#include "engraft/engine/stages.h"

namespace engraft {

/// Where every value and every step's scratch lies in a workspace.
class WorkspaceLayout {
 public:
  struct Spec {
    const StepList& list;
    const Graph& graph;
    std::span<const Stage> stages;
    std::span<const std::size_t> scratch_bytes;  ///< of each step
    int batch = 1;
  };

  WorkspaceLayout() = default;
  explicit WorkspaceLayout(const Spec& spec);

  [[nodiscard]] std::size_t bytes() const { return layout_.bytes; }
  /// Of a value's first picture while a stage works on pictures from `picture` on.
  [[nodiscard]] std::size_t value_offset(ValueId value, int picture) const;
  [[nodiscard]] std::size_t scratch_offset(int step) const {
    return layout_.offsets[scratch_[static_cast<std::size_t>(step)]];
  }

 private:
  /// Memory of one value, or of several that follow each other in place.
  struct Storage {
    std::size_t picture_bytes = 0;
    int first_step = 0, last_step = 0;
    bool whole_batch = false;  ///< it has a place for each picture, not for one stage's at a time
  };

  void find_lifetimes(const Spec& spec);
  void give_places(const Spec& spec);

  std::vector<Storage> storages_;
  std::vector<std::size_t> storage_of_;  ///< of each value
  std::vector<std::size_t> scratch_;     ///< buffer of each step
  MemoryLayout layout_;                  ///< storages first, then scratch
};

}  // namespace engraft
