#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engraft/engine/memory_layout.h"
#include "engraft/engine/training/gradient_flow.h"

namespace engraft {

/// Steps [first, last) that run on `pictures` pictures (a chunk) at a time, over and over until the
/// micro-batch is through; on the way back in reverse.
struct TrainingGroup {
  int first = 0;
  int last = 0;
  int pictures = 1;
};

/// Where values, their gradients, scratch and state lie in the workspace of one micro-batch. Values
/// stay until the way back has passed them; gradients live while they are passed.
class TrainingLayout {
 public:
  struct Spec {
    const StepList& list;
    const Graph& graph;
    const GradientFlow& flow;
    std::span<const TrainingGroup> forward, backward;  ///< every step in one of each
    std::span<const std::size_t> scratch_bytes;        ///< of each step
    std::span<const std::size_t> state_bytes;          ///< of each step and chunk of pictures
    int micro_batch = 1;
  };

  TrainingLayout() = default;
  explicit TrainingLayout(const Spec& spec);

  [[nodiscard]] std::size_t bytes() const { return layout_.bytes; }
  /// Of picture `picture` of the micro-batch.
  [[nodiscard]] std::size_t value_offset(ValueId value, int picture) const;
  [[nodiscard]] std::size_t gradient_offset(ValueId value, int picture) const;
  [[nodiscard]] std::size_t scratch_offset(int step) const;
  [[nodiscard]] std::size_t state_offset(int step, int chunk) const;

 private:
  /// Memory of a value or of gradients that share it.
  struct Storage {
    std::size_t picture_bytes = 0;
    int first = 0, last = -1;  ///< time; the way back begins where the way there ends
    int pictures = 0;          ///< that it has places for: the micro-batch's, or one chunk's
    std::size_t buffer = 0;    ///< in layout_
    [[nodiscard]] bool used() const { return last >= first; }
    void extend(int from, int to);
  };

  void find_values(const Spec& spec);
  void find_gradients(const Spec& spec);
  void give_places(const Spec& spec);
  [[nodiscard]] std::size_t offset(const Storage& storage, int picture) const;

  std::vector<Storage> values_, gradients_;   ///< of each value
  std::vector<ValueId> gradient_storage_;     ///< of each value, into gradients_
  std::vector<std::size_t> scratch_, state_;  ///< buffers of each step
  std::vector<std::size_t> state_bytes_;
  MemoryLayout layout_;
};

}  // namespace engraft
