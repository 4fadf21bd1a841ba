#pragma once

#include <map>
#include <string>

#include "engraft/formats/safetensors.h"
#include "engraft/graph/parameter_layout.h"
#include "engraft/train/fine_tune.h"

namespace engraft {

/// A training stopped between two steps, and what its caller wants to know of it again: what the
/// data and the options were, so that it goes on with the same ones.
struct Checkpoint {
  FineTuneState state;
  std::map<std::string, std::string> metadata;
};

/// Which parameter lies where in a state's flat arrays: FineTuner::parameters() and statistics().
struct CheckpointLayout {
  const ParameterLayout& parameters;
  const ParameterLayout& statistics;
};

/// A checkpoint as tensors that other programs can look into, P and S being the layout's sizes:
///   parameters/NAME, statistics/NAME            F32, each in its own shape
///   average/NAME                                F32, the moving average of the parameters
///   best/parameters/NAME, best/statistics/NAME  F32, those of the best epoch
///   optimizer/SLOT                              F32 [P], in the order of the parameters
///   history                                     F64 [epochs, 7]: EpochResult's members in turn
///   position/…                                  I64 [], the state's integers; position/loss: F64
///   contains/…                                  I64 [], how many of what may be missing there are
/// and the caller's metadata beside "engraft.checkpoint", the version of this list. Throws
/// Error(kUsage) for arrays of other sizes than the layout's, for slots without a name of their
/// own, and for metadata of a name that begins with "engraft.".
[[nodiscard]] SafetensorsFile to_safetensors(const Checkpoint& checkpoint,
                                             const CheckpointLayout& layout);

/// The same bits again; the optimizer's slots come sorted by name. Throws Error(kBadInput),
/// "NAME: …", for a file that is no checkpoint of this version, for tensors that are missing, of
/// another type or shape, or more than belong there, and for numbers out of their range.
[[nodiscard]] Checkpoint checkpoint_from(const SafetensorsFile& file,
                                         const CheckpointLayout& layout, const std::string& name);

}  // namespace engraft
