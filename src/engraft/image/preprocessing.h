#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "engraft/image/decode.h"
#include "engraft/image/image.h"
#include "engraft/image/resize.h"

namespace engraft {

/// How a picture of any shape becomes one of the network's.
enum class ResizeMode {
  kSquash,  ///< both sides stretched on their own
  kCrop,    ///< the centre, of the target's proportions
  kPad,     ///< the whole picture, mid-grey bars beside it
};

enum class ChannelOrder { kRgb, kBgr };

/// Everything between an upright Image and the network's input. It comes from the weights' source
/// and travels with the model, so that training and use see the same pixels.
struct Preprocessing {
  int width = 224;
  int height = 224;
  ResizeMode mode = ResizeMode::kSquash;
  Interpolation interpolation = Interpolation::kBilinearAntialiased;
  /// kCrop only: the side of the target over the side it is cut from; 0.875 is torchvision's 224 of
  /// 256. (0, 1]
  float crop_fraction = 1.0f;
  ChannelOrder channels = ChannelOrder::kRgb;
  /// x = pixel · scale[c] + offset[c], pixel 0…255, c counted in the network's channel order (for
  /// kBgr, scale[0] is blue's); Keras: 1/127.5 and -1.
  std::array<float, 3> scale{1 / 127.5f, 1 / 127.5f, 1 / 127.5f};
  std::array<float, 3> offset{-1, -1, -1};

  bool operator==(const Preprocessing&) const = default;
};

/// Pixels as Keras' preprocess_input of mobilenet_v2 makes them, x/127.5 - 1, RGB. Keras leaves the
/// resize to the caller. TensorFlow's plain bilinear is what the weights were trained with, and the
/// centre crop keeps proportions: together they find the right one of ImageNet's classes for 175 of
/// 200 pictures, an antialiased crop for 170, an antialiased squash for 166.
[[nodiscard]] Preprocessing keras_preprocessing();

/// Largest side of a network's input that is believed.
inline constexpr int kMaxInputSide = 4096;

/// Stable one-line JSON, the form in a model's metadata and in cache keys. Reading throws
/// Error(kBadInput) for anything missing, unknown or out of range: a rule that is not understood
/// would change the pixels silently.
[[nodiscard]] std::string to_json(const Preprocessing& preprocessing);
[[nodiscard]] Preprocessing preprocessing_from_json(std::string_view json);

/// What decode_image needs so that fit() still has detail to spare: at least twice the size the
/// picture is resized to (kCrop: before the cut).
[[nodiscard]] DecodeOptions decode_options(const Preprocessing& preprocessing);

/// Resize and crop or pad: any upright picture → width × height, still RGB 0…255.
[[nodiscard]] Image fit(const Image& image, const Preprocessing& preprocessing);

/// A part of a picture, stretched to width × height whatever its proportions, with bars for kPad.
/// Error(kUsage) for a part that is empty or not inside.
[[nodiscard]] Image fit_part(const Image& image, const Box& part,
                             const Preprocessing& preprocessing);

/// pixels [H,W,3] of a fitted image → network input [H,W,3] in the network's channel order;
/// out.size() == 3·W·H.
void normalise(const Image& fitted, const Preprocessing& preprocessing, std::span<float> out);

/// One of several ways to look at a picture: view 0 is fit(); view k ≥ 1 is a random resized crop
/// and, half of the time, its mirror image. The crop's proportions are 8/9…9/8 times those that
/// fit() would keep (kCrop: the target's; otherwise the picture's own), its area is 60–100 % of the
/// largest such box, its place anywhere. It is then stretched to the target, with bars for kPad.
/// The choice is a function of (seed, k, key) and the picture's size alone; key stands for the
/// picture (its content, so that it follows the file wherever it goes).
struct View {
  int index = 0;
  std::uint64_t seed = 0;
  std::uint64_t key = 0;
};

[[nodiscard]] Image fit_view(const Image& image, const Preprocessing& preprocessing,
                             const View& view);

}  // namespace engraft
