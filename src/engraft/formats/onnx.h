#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "engraft/base/file.h"
#include "engraft/graph/surgery.h"

namespace engraft {

/// What an ONNX file of engraft's says beside the network.
struct OnnxPreprocessing {
  std::array<float, 3> scale{1, 1, 1};  ///< per channel of the network: x = pixel · scale + offset
  std::array<float, 3> offset{0, 0, 0};
  bool swap_red_blue = false;  ///< the network wants BGR
};

struct OnnxModel {
  Network network;
  OnnxPreprocessing preprocessing;
  /// metadata_props, as they are.
  std::map<std::string, std::string> metadata;
};

/// ONNX, opset 13. Input "image": float [N,H,W,3], upright RGB 0…255; scaling, channel order and
/// layout are nodes inside. Output "probabilities" (or the graph's output name): float [N,C]. Batch
/// norm is kept as it is, so that reading gives the same Graph and bit-identical Weights. Equal
/// input gives equal bytes.
[[nodiscard]] Bytes write_onnx(const OnnxModel& model);

/// Reads what write_onnx writes. Throws Error(kBadInput) for damaged bytes and Error(kUnsupported),
/// naming the node, for ONNX that engraft did not write. `name` stands at the head of messages.
[[nodiscard]] OnnxModel read_onnx(std::span<const std::byte> bytes, const std::string& name);

}  // namespace engraft
