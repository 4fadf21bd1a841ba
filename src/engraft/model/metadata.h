#pragma once

#include <map>
#include <string>

#include "engraft/model/model.h"

namespace engraft {

/// What a model file says beside the network, as the metadata of an ONNX file: "engraft_format"
/// ("1"), and "labels" (a JSON array in class order), "preprocessing" and "provenance" (JSON
/// objects); where the network's ranges are known, "activation_ranges" (JSON: a value's name →
/// [low, high]) and "precision".
[[nodiscard]] std::map<std::string, std::string> to_metadata(const Model& model);

/// Fills labels, preprocessing, provenance, ranges and precision. Other keys are left alone: people
/// annotate files. Throws Error(kBadInput), or kUnsupported for a later format; name stands at the
/// head.
void read_metadata(const std::map<std::string, std::string>& metadata, const std::string& name,
                   Model& model);

/// Do network, preprocessing and labels fit each other? Says what does not, in one phrase; empty if
/// all does.
[[nodiscard]] std::string misfit(const Model& model);

}  // namespace engraft
