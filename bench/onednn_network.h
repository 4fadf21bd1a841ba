#pragma once

#include <memory>
#include <span>

#include "engraft/graph/surgery.h"

namespace engraft::bench {

/// How pictures lie in memory between the primitives.
enum class Formats {
  kChosen,        ///< as oneDNN likes it best for each primitive (format_tag::any)
  kChannelsLast,  ///< NHWC throughout
};

struct OneDnnSpec {
  int batch = 1;
  int threads = 1;  ///< OpenMP's, of every primitive
  Formats formats = Formats::kChosen;
};

/// A network in inference as oneDNN's primitives one after the other, as its guide recommends:
/// batch norm folded, activations and residual sums as post-ops, weights reordered once, what is
/// between in as little memory as it takes. Something to be measured beside the engine.
class OneDnnNetwork {
 public:
  /// Throws Error(kUnsupported) for operators that MobileNetV2 does not have.
  OneDnnNetwork(const Network& network, const OneDnnSpec& spec);
  ~OneDnnNetwork();

  /// Pictures [batch,H,W,C]; kept from one forward() to the next.
  [[nodiscard]] std::span<float> input();
  /// [batch,classes], valid until the next forward().
  [[nodiscard]] std::span<const float> forward();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engraft::bench
