#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engraft/base/rng.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/image/encode.h"
#include "engraft/train/fine_tune.h"
#include "support/random_weights.h"
#include "support/test_data.h"

namespace engraft::test {

inline constexpr int kTinySide = 32;
inline constexpr int kTinyClasses = 3;

/// Noise in one of three colours.
inline Image coloured_noise(int label, std::uint64_t seed) {
  Image image(kTinySide, kTinySide);
  Rng rng(seed, static_cast<std::uint64_t>(label));
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const std::uint32_t base = static_cast<int>(i % 3) == label ? 144 : 48;
    image.pixels[i] = static_cast<std::uint8_t>(base + rng.below(64));
  }
  return image;
}

/// Files of such pictures, the classes in turn.
class TinyPictures {
 public:
  explicit TinyPictures(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      labels.push_back(static_cast<int>(i) % kTinyClasses);
      paths.push_back(folder_ / (std::to_string(i) + ".png"));
      write_file_atomic(paths.back(), encode_png(coloured_noise(labels.back(), i)));
      all.push_back(i);
    }
  }

  [[nodiscard]] LabelledPictures part(std::size_t begin, std::size_t end) const {
    return {.pictures = std::span(all).subspan(begin, end - begin),
            .labels = std::span(labels).subspan(begin, end - begin)};
  }

  std::vector<std::filesystem::path> paths;
  std::vector<int> labels;
  std::vector<std::size_t> all;

 private:
  TemporaryFolder folder_;
};

/// MobileNetV2 0.35 at 32 pixels with three classes, at random.
inline Network tiny_network(std::uint64_t seed = 1) {
  Network network{
      .graph = mobilenet_v2({.width = 0.35f, .image_size = kTinySide, .classes = kTinyClasses}),
      .weights = {}};
  network.weights = random_weights(network.graph, seed);
  return network;
}

/// The first of them, drawn once; tensors are shared.
inline const Network& first_network() {
  static const Network network = tiny_network();
  return network;
}

/// What a FineTuner is given: 18 pictures to train on, 6 to validate.
class TinyTraining {
 public:
  explicit TinyTraining(Network given = first_network()) : network(std::move(given)) {
    spec.network = &network;
    spec.preprocessing.width = spec.preprocessing.height = kTinySide;
    spec.source = &source;
    spec.train = pictures.part(0, 18);
    spec.validation = pictures.part(18, 24);
    spec.options = {.from = "all",
                    .epochs = 2,
                    .batch = 8,
                    .micro_batch = 3,
                    .optimizer = OptimizerKind::kAdamw,
                    .learning_rate = 1e-3f,
                    .weight_decay = 0.05f,
                    .schedule = ScheduleKind::kCosine,
                    .clip = 0,
                    .label_smoothing = 0,
                    .statistics_momentum = 0.5f,
                    .augmentation = {},
                    .seed = 3};
  }

  /// A training in a process that starts anew: nothing is kept but the state.
  std::unique_ptr<FineTuner> tuner(ThreadPool& pool) const {
    return std::make_unique<FineTuner>(spec, pool);
  }

  [[nodiscard]] FineTuneState final_state(ThreadPool& pool) const {
    const auto training = tuner(pool);
    while (!training->finished()) training->step();
    return training->state();
  }

  Network network;
  FineTuneSpec spec;

 private:
  inline static const TinyPictures pictures{24};
  inline static PictureSource source{pictures.paths, {}};
};

/// Share of pictures whose largest probability is that of their label.
inline double accuracy(const Tensor& probabilities, std::span<const int> labels) {
  double right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto p = probabilities.row(static_cast<std::int64_t>(i));
    right += std::ranges::max_element(p) - p.begin() == labels[i];
  }
  return right / static_cast<double>(labels.size());
}

/// Mean of -log p of the labels.
inline double log_loss(const Tensor& probabilities, std::span<const int> labels) {
  double sum = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    sum -= std::log(static_cast<double>(
        probabilities.row(static_cast<std::int64_t>(i))[static_cast<std::size_t>(labels[i])]));
  }
  return sum / static_cast<double>(labels.size());
}

/// ‖a - b‖₂
inline double distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
  }
  return std::sqrt(sum);
}

inline std::span<const float> values(const Network& network, const std::string& name) {
  return network.weights.at(name).values();
}

inline void run(FineTuner& tuner) {
  while (!tuner.finished()) tuner.step();
}

}  // namespace engraft::test
