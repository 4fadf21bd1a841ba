#include "engraft/formats/keras_config.h"

#include <nlohmann/json.hpp>

namespace engraft {
namespace {

using nlohmann::json;

/// The side of a batch_input_shape [null, side, side, 3].
std::optional<int> square_side(const json& shape) {
  if (!shape.is_array() || shape.size() != 4) return std::nullopt;
  if (!shape[1].is_number_integer() || shape[1] != shape[2] || shape[3] != 3) return std::nullopt;
  const auto side = shape[1].get<std::int64_t>();
  return side >= 32 && side <= 4096 ? std::optional(static_cast<int>(side)) : std::nullopt;
}

void take_layer(const json& layer, KerasConfig& result) {
  for (const char* key : {"batch_input_shape", "batch_shape"}) {
    if (!result.image_size && layer.contains(key)) result.image_size = square_side(layer[key]);
  }
  const auto kind = layer.find("class_name");
  const auto config = layer.find("config");
  if (kind == layer.end() || config == layer.end() || !config->is_object()) return;
  const std::string name = kind->is_string() ? kind->get<std::string>() : std::string();
  if (name.starts_with("BatchNormalization") && config->contains("epsilon")) {
    const json& epsilon = (*config)["epsilon"];
    if (epsilon.is_number()) result.epsilons.push_back(epsilon.get<float>());
  }
}

}  // namespace

KerasConfig parse_keras_config(std::string_view text) {
  KerasConfig result;
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  // A stack of our own: the nesting of a hostile text must not become ours.
  std::vector<const json*> open{&root};
  while (!open.empty()) {
    const json& value = *open.back();
    open.pop_back();
    if (value.is_object()) take_layer(value, result);
    if (!value.is_structured()) continue;
    std::vector<const json*> inner;
    for (const json& element : value) inner.push_back(&element);
    open.insert(open.end(), inner.rbegin(), inner.rend());
  }
  return result;
}

}  // namespace engraft
