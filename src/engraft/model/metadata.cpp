#include "engraft/model/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engraft/base/error.h"
#include "engraft/base/utf8.h"

namespace engraft {
namespace {

using nlohmann::json;

constexpr const char* kFormatKey = "engraft_format";
constexpr const char* kFormat = "1";
constexpr const char* kRangesKey = "activation_ranges";
constexpr const char* kPrecisionKey = "precision";

[[noreturn]] void fail(const std::string& name, const std::string& what) {
  throw Error(ErrorKind::kBadInput, fmt::format("{}: {}", name, what));
}

const std::string& value_of(const std::map<std::string, std::string>& metadata,
                            const std::string& key, const std::string& name) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    fail(name, fmt::format("the metadata lacks \"{}\": not a model that engraft wrote", key));
  }
  return found->second;
}

json parse(const std::string& text, const std::string& key, const std::string& name) {
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    fail(name, fmt::format("\"{}\" in the metadata is damaged: {}", key, printable(error.what())));
  }
}

std::vector<std::string> read_labels(const json& value, const std::string& name) {
  if (!value.is_array()) fail(name, "\"labels\" in the metadata is not a list");
  std::vector<std::string> labels;
  for (const json& label : value) {
    if (!label.is_string())
      fail(name, "\"labels\" in the metadata holds something else than names");
    labels.push_back(label.get<std::string>());
  }
  return labels;
}

std::map<std::string, std::string> read_provenance(const json& value, const std::string& name) {
  if (!value.is_object()) fail(name, "\"provenance\" in the metadata is not an object");
  std::map<std::string, std::string> provenance;
  for (const auto& [key, entry] : value.items()) {
    if (!entry.is_string()) {
      fail(name, fmt::format("\"provenance\" in the metadata: \"{}\" is not text", printable(key)));
    }
    provenance[key] = entry.get<std::string>();
  }
  return provenance;
}

json to_json(const ActivationRanges& ranges) {
  json object = json::object();
  for (const auto& [value, range] : ranges) object[value] = {range.low, range.high};
  return object;
}

ActivationRanges read_ranges(const json& value, const std::string& name) {
  if (!value.is_object()) fail(name, "\"activation_ranges\" in the metadata is not an object");
  ActivationRanges ranges;
  for (const auto& [key, bounds] : value.items()) {
    const bool pair =
        bounds.is_array() && bounds.size() == 2 && bounds[0].is_number() && bounds[1].is_number();
    const ActivationRange range =
        pair ? ActivationRange{bounds[0].get<float>(), bounds[1].get<float>()} : ActivationRange{};
    const bool in_order = range.low <= 0 && range.high >= 0;
    if (!pair || !in_order || !std::isfinite(range.high - range.low)) {
      fail(name,
           fmt::format("\"activation_ranges\" in the metadata: \"{}\" is no range [low, high] "
                       "around 0",
                       printable(key)));
    }
    ranges.emplace(key, range);
  }
  return ranges;
}

/// JSON as one line. Names from outside may not be UTF-8; they are then shown with U+FFFD.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string label_misfit(const std::vector<std::string>& labels) {
  std::set<std::string_view> seen;
  for (const std::string& label : labels) {
    if (label.empty()) return "a label is empty";
    if (!is_printable(label)) {
      return fmt::format("the label '{}' is not plain UTF-8", printable(label));
    }
    if (!seen.insert(label).second) return fmt::format("the label '{}' stands twice", label);
  }
  return {};
}

}  // namespace

std::string_view name_of(Precision precision) {
  return precision == Precision::kInt8 ? "int8" : "float32";
}

std::map<std::string, std::string> to_metadata(const Model& model) {
  std::map<std::string, std::string> metadata{{kFormatKey, kFormat},
                                              {"labels", dump(json(model.labels))},
                                              {"preprocessing", to_json(model.preprocessing)},
                                              {"provenance", dump(json(model.provenance))}};
  if (!model.ranges.empty()) {
    metadata[kRangesKey] = dump(to_json(model.ranges));
    metadata[kPrecisionKey] = name_of(model.precision);
  }
  return metadata;
}

void read_metadata(const std::map<std::string, std::string>& metadata, const std::string& name,
                   Model& model) {
  if (const std::string& format = value_of(metadata, kFormatKey, name); format != kFormat) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: is of format '{}', this engraft reads {}; a newer one may read it",
                            name, printable(format), kFormat));
  }
  model.labels = read_labels(parse(value_of(metadata, "labels", name), "labels", name), name);
  model.provenance =
      read_provenance(parse(value_of(metadata, "provenance", name), "provenance", name), name);
  try {
    model.preprocessing = preprocessing_from_json(value_of(metadata, "preprocessing", name));
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(name)) throw;
    fail(name, error.what());
  }
  if (!metadata.contains(kRangesKey)) return;
  model.ranges = read_ranges(parse(metadata.at(kRangesKey), kRangesKey, name), name);
  const std::string& wanted = value_of(metadata, kPrecisionKey, name);
  const auto precision =
      std::ranges::find(kPrecisions, wanted, [](Precision p) { return std::string(name_of(p)); });
  if (precision == kPrecisions.end()) {
    fail(name, fmt::format("\"precision\" in the metadata is '{}', none that engraft knows",
                           printable(wanted)));
  }
  model.precision = *precision;
}

std::string misfit(const Model& model) {
  const Graph& graph = model.network.graph;
  const Preprocessing& preprocessing = model.preprocessing;
  const Shape wanted{preprocessing.height, preprocessing.width, 3};
  if (graph.value_count() == 0) return "there is no network";
  if (const Shape& input = graph.shape(graph.input()); input != wanted) {
    return fmt::format("the network takes {}, but the preprocessing makes {}", input.to_string(),
                       wanted.to_string());
  }
  const Shape& output = graph.shape(graph.output());
  if (output.rank() != 1) {
    return fmt::format("the network's output {} is not one row of numbers", output.to_string());
  }
  if (!model.labels.empty() && static_cast<std::int64_t>(model.labels.size()) != output[0]) {
    return fmt::format("there are {} labels for {} outputs", model.labels.size(), output[0]);
  }
  if (model.precision == Precision::kInt8 && model.ranges.empty()) {
    return "it is to be computed in 8-bit integers, but no ranges are known";
  }
  return label_misfit(model.labels);
}

}  // namespace engraft
