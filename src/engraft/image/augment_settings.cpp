#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/image/augment.h"

namespace engraft {
namespace {

using Json = nlohmann::ordered_json;

/// A part and its range. The order is that of the JSON.
struct Part {
  const char* name;
  float Augmentation::*value;
  float least, most;
};

constexpr std::array kParts{
    Part{"crop_min_area", &Augmentation::crop_min_area, 0.01f, 1},
    Part{"crop_max_stretch", &Augmentation::crop_max_stretch, 1, 4},
    Part{"mirror", &Augmentation::mirror, 0, 1},
    Part{"upside_down", &Augmentation::upside_down, 0, 1},
    Part{"rotation", &Augmentation::rotation, 0, 180},
    Part{"brightness", &Augmentation::brightness, 0, 1},
    Part{"contrast", &Augmentation::contrast, 0, 1},
    Part{"saturation", &Augmentation::saturation, 0, 1},
    Part{"hue", &Augmentation::hue, 0, 0.5f},
    Part{"grayscale", &Augmentation::grayscale, 0, 1},
    Part{"magnitude", &Augmentation::magnitude, 0, 10},
    Part{"erasing", &Augmentation::erasing, 0, 1},
    Part{"mixup", &Augmentation::mixup, 0, 100},
    Part{"cutmix", &Augmentation::cutmix, 0, 100},
};
constexpr const char* kRandAugment = "rand_augment";
constexpr int kMostOperations = 10;

/// What is wrong, in words; nothing if all is well.
std::string fault_of(const Augmentation& augmentation) {
  for (const Part& part : kParts) {
    const float value = augmentation.*part.value;
    if (!(value >= part.least && value <= part.most)) {
      return fmt::format("{} is {}; it must be in {}…{}", part.name, value, part.least, part.most);
    }
  }
  if (augmentation.rand_augment < 0 || augmentation.rand_augment > kMostOperations) {
    return fmt::format("{} is {}; it must be in 0…{}", kRandAugment, augmentation.rand_augment,
                       kMostOperations);
  }
  return {};
}

[[noreturn]] void fail(std::string_view what) {
  throw Error(ErrorKind::kBadInput, fmt::format("the stored augmentation: {}", what));
}

const Json& member(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) fail(fmt::format("\"{}\" is missing", name));
  return *found;
}

std::string as_percent(float share) {
  return fmt::format("{:.3g} %", 100 * share);
}

void add_chance(std::vector<std::string>& words, std::string_view what, float probability) {
  if (probability <= 0) return;
  const bool usual = probability == 0.5f;
  words.push_back(usual ? std::string(what)
                        : fmt::format("{} ({})", what, as_percent(probability)));
}

/// "brightness, contrast ± 20 %" where they are alike.
void add_colours(std::vector<std::string>& words, const Augmentation& a) {
  std::vector<std::pair<std::string, float>> parts;
  for (const auto& [name, value] : {std::pair{"brightness", a.brightness},
                                    {"contrast", a.contrast},
                                    {"saturation", a.saturation},
                                    {"hue", a.hue}}) {
    if (value <= 0) continue;
    if (!parts.empty() && parts.back().second == value) {
      parts.back().first += fmt::format(", {}", name);
    } else {
      parts.emplace_back(name, value);
    }
  }
  for (const auto& [names, value] : parts) {
    words.push_back(fmt::format("{} ± {}", names, as_percent(value)));
  }
}

}  // namespace

std::string_view name_of(AugmentationPreset preset) {
  switch (preset) {
    case AugmentationPreset::kNone:
      return "none";
    case AugmentationPreset::kLight:
      return "light";
    case AugmentationPreset::kStandard:
      return "standard";
    case AugmentationPreset::kStrong:
      return "strong";
  }
  return "unknown";
}

Augmentation augmentation_of(AugmentationPreset preset) {
  Augmentation a;
  if (preset == AugmentationPreset::kNone) return a;
  a.crop_min_area = 0.6f;
  a.crop_max_stretch = 9.0f / 8.0f;
  a.mirror = 0.5f;
  if (preset == AugmentationPreset::kLight) return a;
  a.crop_min_area = 0.35f;
  a.crop_max_stretch = 4.0f / 3.0f;
  a.brightness = a.contrast = a.saturation = 0.2f;
  if (preset == AugmentationPreset::kStandard) return a;
  a.rand_augment = 2;
  a.magnitude = 9;
  a.erasing = 0.25f;
  a.mixup = 0.2f;
  a.cutmix = 1;
  return a;
}

void check(const Augmentation& augmentation) {
  const std::string fault = fault_of(augmentation);
  if (!fault.empty()) throw Error(ErrorKind::kUsage, "the augmentation's " + fault);
}

std::string summary_of(const Augmentation& a) {
  std::vector<std::string> words;
  if (a.crop_min_area < 1) {
    words.push_back(fmt::format("crops of {:.3g}–100 %", 100 * a.crop_min_area));
  }
  if (a.crop_max_stretch > 1) {
    words.push_back(fmt::format("stretched by up to {:.0f} %", 100 * (a.crop_max_stretch - 1)));
  }
  add_chance(words, "mirrored", a.mirror);
  add_chance(words, "upside down", a.upside_down);
  if (a.rotation > 0) words.push_back(fmt::format("turned ± {:.3g}°", a.rotation));
  add_colours(words, a);
  add_chance(words, "grey", a.grayscale);
  if (a.rand_augment > 0) {
    words.push_back(fmt::format("RandAugment {} × {:.3g}", a.rand_augment, a.magnitude));
  }
  add_chance(words, "erasing", a.erasing);
  if (a.mixup > 0) words.push_back(fmt::format("mixup {:.3g}", a.mixup));
  if (a.cutmix > 0) words.push_back(fmt::format("cutmix {:.3g}", a.cutmix));
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, ", "));
}

std::string to_json(const Augmentation& augmentation) {
  check(augmentation);
  // Written by hand: the library would print a float's 0.2 as 0.20000000298023224.
  std::string json = "{";
  for (const Part& part : kParts) {
    json += fmt::format("\"{}\":{},", part.name, augmentation.*part.value);
  }
  return json + fmt::format("\"{}\":{}}}", kRandAugment, augmentation.rand_augment);
}

Augmentation augmentation_from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) fail("is not a JSON object");
  Augmentation augmentation;
  for (const Part& part : kParts) {
    const Json& value = member(json, part.name);
    if (!value.is_number()) fail(fmt::format("\"{}\" is not a number", part.name));
    augmentation.*part.value = value.get<float>();
  }
  const Json& count = member(json, kRandAugment);
  const bool whole = count.is_number_integer() && count >= 0 && count <= kMostOperations;
  if (!whole)
    fail(fmt::format("\"{}\" is not a whole number in 0…{}", kRandAugment, kMostOperations));
  augmentation.rand_augment = count.get<int>();
  if (json.size() != kParts.size() + 1) fail("has members that this engraft does not know");
  const std::string fault = fault_of(augmentation);
  if (!fault.empty()) fail(fault);
  return augmentation;
}

}  // namespace engraft
