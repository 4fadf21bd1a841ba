#pragma once

#include <cstddef>
#include <vector>

#include "engraft/formats/safetensors.h"
#include "engraft/model/model.h"
#include "engraft/tensor/tensor.h"
#include "engraft/train/head.h"

namespace engraft {

/// What the rest of a run needs of a fold that is over.
struct FoldResult {
  std::vector<EpochResult> history;
  Tensor probabilities;   ///< [judged, classes]
  Tensor in_floats = {};  ///< the same in float32, with a network in 8-bit integers; else empty
};

/// How large a fold's result is.
struct FoldShape {
  std::size_t judged = 0;  ///< pictures
  std::size_t classes = 0;
  std::size_t epochs = 0;
  Precision precision = Precision::kFloat32;
};

/// Tensors probabilities and history, as a checkpoint's; with 8-bit integers probabilities_float32,
/// too.
[[nodiscard]] SafetensorsFile to_safetensors(const FoldResult& result);

/// The same bits again. Throws Error(kBadInput), without a name, for tensors that are missing,
/// more, of another type or shape, and for numbers that cannot be.
[[nodiscard]] FoldResult fold_result_from(const SafetensorsFile& file, const FoldShape& expected);

}  // namespace engraft
