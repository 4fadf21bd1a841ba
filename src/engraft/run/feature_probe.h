#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engraft/base/thread_pool.h"
#include "engraft/graph/surgery.h"
#include "engraft/image/preprocessing.h"
#include "engraft/tensor/tensor.h"
#include "engraft/train/picture_store.h"

namespace engraft {

/// Judges the features of networks by how well a linear head on them does: in five folds, so that
/// each picture is judged by a head that has not seen it.
class FeatureProbe {
 public:
  /// The pictures' labels; all must outlive this. Throws Error(kBadInput) naming a class with too
  /// few pictures for five folds.
  FeatureProbe(std::span<const StoredPicture> pictures, std::span<const int> labels,
               std::span<const std::string> class_names, ThreadPool& pool);

  [[nodiscard]] std::size_t pictures() const { return pictures_.size(); }
  /// Pictures that the heads on this network's features get right. A function of the network alone.
  [[nodiscard]] std::size_t correct(const Network& features, const Preprocessing& view) const;

 private:
  std::span<const StoredPicture> pictures_;
  std::span<const int> labels_;
  int classes_;
  ThreadPool& pool_;
  std::vector<int> folds_;
};

}  // namespace engraft
