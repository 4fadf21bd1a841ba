#pragma once

#include <map>
#include <string>

#include "engraft/formats/safetensors.h"
#include "engraft/train/checkpoint.h"
#include "engraft/train/distiller.h"

namespace engraft {

/// A distillation stopped between two steps, with its caller's metadata.
struct DistillCheckpoint {
  DistillState state;
  std::map<std::string, std::string> metadata;
};

/// As tensors that other programs can look into:
///   parameters/NAME, statistics/NAME                  F32, each in its own shape
///   average/parameters/NAME, average/statistics/NAME  F32, the student that is kept
///   optimizer/SLOT                                    F32, in the order of the parameters
///   history                                           F64 [epochs, 10]: DistillResult's members
///   position                                          I64 [4]: step, optimizer's, agreeing, seen
///   sums                                              F64 [2]: feature error, divergence
/// and the metadata beside "engraft.distillation", the version of this list. Throws Error(kUsage)
/// for arrays of other sizes than the layout's and metadata named "engraft.…".
[[nodiscard]] SafetensorsFile to_safetensors(const DistillCheckpoint& checkpoint,
                                             const CheckpointLayout& layout);

/// The same bits again. Throws Error(kBadInput), "NAME: …", for a file that is none, and for
/// tensors that are missing, of another type or shape, or more than belong there.
[[nodiscard]] DistillCheckpoint distill_checkpoint_from(const SafetensorsFile& file,
                                                        const CheckpointLayout& layout,
                                                        const std::string& name);

}  // namespace engraft
