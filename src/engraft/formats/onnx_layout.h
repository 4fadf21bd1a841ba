#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace engraft::onnx_format {

/// A convolution kernel's extents. Depthwise kernels are those with one input channel: [kh,kw,C] is
/// [kh,kw,1,C], and [C,1,kh,kw] in ONNX.
struct KernelExtents {
  std::size_t area = 1;  ///< kh · kw
  std::size_t inputs = 1;
  std::size_t outputs = 1;
};

/// [kh,kw,Cin,Cout] (ours, TensorFlow's) → [Cout,Cin,kh,kw] (ONNX'). Spans of equal size; the bits
/// stay as they are, as they do on the way back.
void hwio_to_oihw(std::span<const float> from, std::span<float> to, const KernelExtents& extents);
/// The way back of some outputs, `first` on: from [n,Cin,kh,kw], to all of [kh,kw,Cin,Cout].
void oihw_to_hwio(std::span<const float> from, std::size_t first, std::span<float> to,
                  const KernelExtents& extents);

// Names that engraft's files use beside those of the graph.
inline constexpr std::string_view kImage = "image";
inline constexpr std::string_view kProbabilities = "probabilities";
inline constexpr std::string_view kBatchAxis = "N";
inline constexpr std::string_view kChannels = "image/channels";  ///< int64 {2,1,0}
inline constexpr std::string_view kReordered = "image/bgr";
inline constexpr std::string_view kScale = "image/scale";
inline constexpr std::string_view kScaled = "image/scaled";
inline constexpr std::string_view kOffset = "image/offset";
inline constexpr std::string_view kShifted = "image/shifted";
inline constexpr std::string_view kToNchw = "image/to_nchw";
inline constexpr std::string_view kClipMin = "relu6/min";
inline constexpr std::string_view kClipMax = "relu6/max";
inline constexpr std::string_view kGateAxes = "unsqueezed/axes";  ///< int64 {2,3}
inline constexpr std::string_view kGateSuffix = "/unsqueezed";    ///< [N,C,1,1], a factor a channel
inline constexpr std::string_view kRatioSuffix = "/ratio";        ///< of a dropout
inline constexpr std::string_view kMeanSuffix = "/mean";  ///< [N,C,1,1], before it is flattened

// Of parameters in compact files: what lies there, and what makes floats under the own name of it.
inline constexpr std::string_view kInt8Suffix = "/int8";
inline constexpr std::string_view kScaleSuffix = "/int8_scale";
inline constexpr std::string_view kHalfSuffix = "/float16";
inline constexpr std::string_view kUnpackedSuffix = "/unpacked";

inline constexpr int kOpset = 13;
inline constexpr int kHardSwishOpset = 14;  ///< of networks with a HardSwish, which came with it
inline constexpr int kIrVersion = 7;        ///< the one that opsets 13 and 14 came with

// HardSigmoid is max(0, min(1, α·x + β)).
inline constexpr float kHardSigmoidAlpha = 1.0f / 6;
inline constexpr float kHardSigmoidBeta = 0.5f;

}  // namespace engraft::onnx_format
