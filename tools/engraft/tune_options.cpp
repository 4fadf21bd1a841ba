#include "tune_options.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "choice.h"
#include "engraft/base/error.h"
#include "engraft/base/memory.h"

namespace engraft::cli {
namespace {

/// What a network at random needs where a trained one wants a light touch.
constexpr int kScratchEpochs = 100;
constexpr float kScratchRate = 2e-3f;
/// For the whole network: lower, and lower still towards its input.
constexpr float kAllRate = 2e-4f;
constexpr float kAllLayerDecay = 0.9f;

std::string_view name_of(BatchNormMode mode) {
  return mode == BatchNormMode::kFrozen ? "frozen" : "trainable";
}

std::string_view name_of(Balance balance) {
  switch (balance) {
    case Balance::kNone:
      return "none";
    case Balance::kWeights:
      return "weights";
    case Balance::kSampling:
      return "sampling";
  }
  return "none";
}

std::string_view name_of(RecipeKind recipe) {
  switch (recipe) {
    case RecipeKind::kAuto:
      return "auto";
    case RecipeKind::kHead:
      return "head";
    case RecipeKind::kFineTune:
      return "fine-tune";
    case RecipeKind::kFromScratch:
      return "from-scratch";
  }
  return "auto";
}

/// Sets what was given.
template <typename T, typename U>
void set(T& value, const std::optional<U>& given) {
  if (given) value = *given;
}

template <typename T>
CLI::Option* setting(CLI::App& command, const std::string& name, T& value, const std::string& what,
                     const char* type, const char* group) {
  return command.add_option(name, value, what)->type_name(type)->group(group);
}

}  // namespace

void TuneOptions::declare(CLI::App& command) {
  declare_choice(command);
  declare_training(command);
  declare_augmentation(command);
}

void TuneOptions::declare_choice(CLI::App& command) {
  const char* group = "What is trained";
  auto* recipe_option =
      setting(command, "--recipe", recipe,
              "auto: the head, and with enough pictures the last stage of the network after it; "
              "head: the head alone [auto]",
              "NAME", group)
          ->transform(
              choice<RecipeKind>({{"auto", RecipeKind::kAuto}, {"head", RecipeKind::kHead}}));
  auto* tune = setting(command, "--fine-tune", fine_tune,
                       "After the head, the network from here on: last, all, a block (block_13), "
                       "or a number of layers as Keras counts them (100)",
                       "FROM", group)
                   ->excludes(recipe_option)
                   ->check([](const std::string& from) {
                     return from.empty() ? "needs a word, such as last" : std::string();
                   });
  auto* scratch = command
                      .add_flag("--from-scratch", from_scratch,
                                "Begin with random weights instead of a pre-trained network")
                      ->excludes(recipe_option)
                      ->excludes(tune)
                      ->group(group);
  if (auto* model = command.get_option_no_throw("--model")) scratch->excludes(model);
  setting(command, "--width", width, "From scratch: width of the network, 0.35 to 1.4 [1]",
          "FACTOR", group)
      ->check(between(0.1, 4.0))
      ->needs(scratch);
  setting(command, "--budget", budget,
          "Time that the run may take, such as 90s, 5m or 1h: as many epochs as fit", "TIME",
          group);
  setting(command, "--memory", memory,
          "Memory that training may take, such as 2G [three quarters of what is free]", "BYTES",
          group);
}

void TuneOptions::declare_training(CLI::App& command) {
  const char* group = kFineTuningGroup;
  setting(command, "--tune-epochs", epochs,
          fmt::format("[{}, from scratch {}]", options.epochs, kScratchEpochs), "N", group);
  setting(command, "--tune-lr", learning_rate,
          fmt::format("Learning rate at its peak [{:g}, all {:g}, from scratch {:g}]; see "
                      "'engraft find-lr'",
                      options.learning_rate, kAllRate, kScratchRate),
          "RATE", group);
  setting(command, "--tune-batch", options.batch,
          fmt::format("Pictures a step [{}]", options.batch), "N", group);
  setting(
      command, "--tune-optimizer", options.optimizer,
      fmt::format("sgd, nesterov, adam, adamw, rmsprop [{}]", engraft::name_of(options.optimizer)),
      "KIND", group)
      ->transform(choice(by_name(kOptimizerKinds)));
  setting(command, "--tune-schedule", options.schedule,
          fmt::format("constant, cosine, step, one-cycle [{}]", engraft::name_of(options.schedule)),
          "KIND", group)
      ->transform(choice(by_name(kScheduleKinds)));
  setting(command, "--tune-warmup", options.warmup,
          fmt::format("Share of all steps in which the rate rises [{:g}]", options.warmup), "SHARE",
          group);
  setting(command, "--tune-weight-decay", weight_decay,
          fmt::format("On kernels only [{:g}]", options.weight_decay), "RATE", group);
  setting(command, "--layer-decay", layer_decay,
          fmt::format("Rate of a block: times this for each block between it and the head [1, all "
                      "{:g}]",
                      kAllLayerDecay),
          "FACTOR", group);
  setting(command, "--clip", options.clip, "Largest norm of the gradient; 0: any [0]", "NORM",
          group);
  setting(command, "--ema", options.ema,
          "Decay of the moving average of the weights that is kept; 0: none [0]", "DECAY", group);
  setting(command, "--batch-norm", batch_norm,
          "frozen: its statistics stay those of the pre-training; trainable: the batch's own "
          "[frozen, from scratch trainable]",
          "MODE", group)
      ->transform(choice<BatchNormMode>(
          {{"frozen", BatchNormMode::kFrozen}, {"trainable", BatchNormMode::kTrainable}}));
  setting(command, "--micro-batch", options.micro_batch,
          fmt::format("Pictures that go through the network together [{}]", options.micro_batch),
          "N", group);
}

void TuneOptions::declare_augmentation(CLI::App& command) {
  const char* group = kAugmentationGroup;
  std::map<std::string, AugmentationPreset> presets;
  for (const AugmentationPreset preset : kAugmentationPresets) {
    presets.emplace(engraft::name_of(preset), preset);
  }
  setting(command, "--augment", augment,
          "none, light, standard or strong; the following change parts of it [light]", "PRESET",
          group)
      ->transform(choice(presets));
  setting(command, "--crop", crop, "Smallest share of the picture that a crop keeps; 1: no crops",
          "SHARE", group);
  setting(command, "--mirror", mirror, "Probability of a left-right flip", "P", group);
  setting(command, "--upside-down", upside_down, "Probability of a top-bottom flip", "P", group);
  setting(command, "--rotation", rotation, "Up to so many degrees either way", "DEGREES", group);
  setting(command, "--brightness", brightness, "Factor up to 1 ± this", "X", group);
  setting(command, "--contrast", contrast, "Factor up to 1 ± this", "X", group);
  setting(command, "--saturation", saturation, "Factor up to 1 ± this", "X", group);
  setting(command, "--hue", hue, "Share of the colour circle either way", "X", group);
  setting(command, "--grayscale", grayscale, "Probability of losing all colour", "P", group);
  setting(command, "--rand-augment", rand_augment, "RandAugment: operations a picture", "N", group);
  setting(command, "--magnitude", magnitude, "Of RandAugment's operations, 0 to 10", "M", group);
  setting(command, "--erasing", erasing, "Probability that a box turns into noise", "P", group);
  setting(command, "--mixup", mixup, "Mix two pictures: alpha of the Beta distribution", "ALPHA",
          group);
  setting(command, "--cutmix", cutmix, "Paste a box of another picture: alpha", "ALPHA", group);
}

Augmentation TuneOptions::augmentation_given(const Augmentation& preset) const {
  Augmentation a = augment ? augmentation_of(*augment) : preset;
  set(a.crop_min_area, crop);
  set(a.mirror, mirror);
  set(a.upside_down, upside_down);
  set(a.rotation, rotation);
  set(a.brightness, brightness);
  set(a.contrast, contrast);
  set(a.saturation, saturation);
  set(a.hue, hue);
  set(a.grayscale, grayscale);
  set(a.rand_augment, rand_augment);
  set(a.magnitude, magnitude);
  set(a.erasing, erasing);
  set(a.mixup, mixup);
  set(a.cutmix, cutmix);
  if (crop && *crop >= 1) a.crop_max_stretch = 1;
  return a;
}

void TuneOptions::apply(TrainRequest& request, std::optional<float> label_smoothing) const {
  FineTuneOptions tuned = options;
  request.recipe = recipe;
  request.width = width;
  if (!fine_tune.empty()) {
    request.recipe = RecipeKind::kFineTune;
    tuned.from = fine_tune;
    if (fine_tune == "all") {
      tuned.learning_rate = kAllRate;
      tuned.layer_decay = kAllLayerDecay;
    }
  }
  if (from_scratch) {
    request.recipe = RecipeKind::kFromScratch;
    tuned.epochs = kScratchEpochs;
    tuned.learning_rate = kScratchRate;
    tuned.batch_norm = BatchNormMode::kTrainable;
  }
  set(tuned.epochs, epochs);
  set(tuned.learning_rate, learning_rate);
  set(tuned.weight_decay, weight_decay);
  set(tuned.layer_decay, layer_decay);
  set(tuned.batch_norm, batch_norm);
  set(tuned.label_smoothing, label_smoothing);
  tuned.augmentation = augmentation_given(tuned.augmentation);
  tuned.loss = request.training.loss;
  tuned.patience = request.training.patience;
  tuned.seed = request.training.seed;
  request.fine_tune = tuned;
  if (!budget.empty()) request.budget = parse_seconds(budget);
  if (!memory.empty()) request.memory = parse_memory(memory);
}

nlohmann::ordered_json tune_json(const TrainRequest& request) {
  const FineTuneOptions& o = request.fine_tune;
  return {{"recipe", name_of(request.recipe)},
          {"fine_tune", o.from},
          {"width", request.width},
          {"budget", request.budget},
          {"memory", request.memory},
          {"tune_epochs", o.epochs},
          {"tune_lr", o.learning_rate},
          {"tune_batch", o.batch},
          {"micro_batch", o.micro_batch},
          {"tune_optimizer", engraft::name_of(o.optimizer)},
          {"tune_schedule", engraft::name_of(o.schedule)},
          {"tune_warmup", o.warmup},
          {"tune_weight_decay", o.weight_decay},
          {"tune_label_smoothing", o.label_smoothing},
          {"layer_decay", o.layer_decay},
          {"clip", o.clip},
          {"ema", o.ema},
          {"batch_norm", name_of(o.batch_norm)},
          {"tune_balance", name_of(o.balance)},
          {"augmentation", nlohmann::ordered_json::parse(to_json(o.augmentation))}};
}

double parse_seconds(const std::string& text) {
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(parsed.ptr, text.data() + text.size());
  const std::map<std::string, double> units{{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}};
  const auto found = units.find(unit);
  if (parsed.ec != std::errc() || found == units.end() || !(number > 0) || number > 1e7) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--budget {}: no length of time; write it like 90s, 5m or 1h", text));
  }
  return number * found->second;
}

}  // namespace engraft::cli
