#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "engraft/run/train_run.h"

namespace engraft::cli {

/// Groups of options in the help text.
inline constexpr const char* kFineTuningGroup = "Fine-tuning";
inline constexpr const char* kAugmentationGroup = "Augmentation (in fine-tuning)";

/// What is trained behind the head and how: --recipe, --fine-tune, --from-scratch, --tune-…, the
/// augmentation, --budget, --memory. What is not said is left to the recipe.
struct TuneOptions {
  RecipeKind recipe = RecipeKind::kAuto;
  std::string fine_tune;
  bool from_scratch = false;
  float width = 1.0f;
  std::string budget, memory;
  FineTuneOptions options;
  std::optional<int> epochs;
  std::optional<float> learning_rate, weight_decay, layer_decay;
  std::optional<BatchNormMode> batch_norm;
  std::optional<AugmentationPreset> augment;
  std::optional<float> crop, mirror, upside_down, rotation, brightness, contrast, saturation, hue,
      grayscale, erasing, magnitude, mixup, cutmix;
  std::optional<int> rand_augment;

  void declare(CLI::App& command);
  /// Sets what the request says of recipe, fine-tuning, time and memory. Its head's options are set
  /// already.
  void apply(TrainRequest& request, std::optional<float> label_smoothing) const;

 private:
  void declare_choice(CLI::App& command);
  void declare_training(CLI::App& command);
  void declare_augmentation(CLI::App& command);
  /// The preset that was given, or else this one, with the parts that were given.
  [[nodiscard]] Augmentation augmentation_given(const Augmentation& preset) const;
};

/// The part of args.json that they are.
[[nodiscard]] nlohmann::ordered_json tune_json(const TrainRequest& request);

/// "90", "90s", "5m", "1.5h" → seconds. Throws Error(kUsage) for anything else.
[[nodiscard]] double parse_seconds(const std::string& text);

}  // namespace engraft::cli
