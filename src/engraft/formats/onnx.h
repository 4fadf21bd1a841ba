#pragma once

#include <array>
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

/// How weights lie in a file.
enum class WeightStorage {
  kFloat,    ///< float32, bit for bit
  kCompact,  ///< rounded, in a quarter to a third of the bytes
};

struct OnnxModel {
  Network network;
  OnnxPreprocessing preprocessing;
  /// metadata_props, as they are.
  std::map<std::string, std::string> metadata;
};

/// ONNX, opset 13, or 14 for a network with a hard swish. Input "image": float [N,H,W,3], upright
/// RGB 0…255; scaling, channel order and layout are nodes inside (x = pixel · scale + offset,
/// rounded to float after either). Output: "probabilities", float [N,C], if the graph ends in
/// softmax or sigmoid, else the graph's output under its own name; one of rank 3 is [N,C,H,W].
/// Batch norm and dropout are kept as they are, so that reading gives the same Graph and, of the
/// weights that it uses, the same bits. Equal input gives equal bytes. Throws Error(kUsage) for a
/// network that does not take [H,W,3] and for names that collide in ONNX, where values and
/// parameters share one space; what check_weights throws.
///
/// A compact file is a quarter as large, and as much ONNX: large kernels are int8 with a scale per
/// output channel (DequantizeLinear; |error| ≤ scale / 2, scale = max|w| / 127), small and
/// depthwise ones float16 (Cast), biases and batch norm float32. Reading gives the same Graph with
/// the rounded weights.
[[nodiscard]] Bytes write_onnx(const OnnxModel& model,
                               WeightStorage storage = WeightStorage::kFloat);

/// Reads what write_onnx writes. Throws Error(kBadInput) for damaged or truncated bytes and
/// Error(kUnsupported), naming the node, for ONNX that engraft did not write. `name` stands at the
/// head of messages.
[[nodiscard]] OnnxModel read_onnx(std::span<const std::byte> bytes, const std::string& name);

}  // namespace engraft
