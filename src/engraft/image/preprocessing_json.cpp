#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/image/preprocessing.h"

namespace engraft {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kModes{std::pair{"squash", ResizeMode::kSquash},
                            std::pair{"crop", ResizeMode::kCrop},
                            std::pair{"pad", ResizeMode::kPad}};
constexpr std::array kChannels{std::pair{"rgb", ChannelOrder::kRgb},
                               std::pair{"bgr", ChannelOrder::kBgr}};
constexpr std::array kInterpolations{Interpolation::kNearest, Interpolation::kBilinear,
                                     Interpolation::kBilinearAntialiased, Interpolation::kBicubic};

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorKind::kBadInput, fmt::format("the preprocessing of this model: {}", what));
}

template <typename Table, typename T>
std::string name_in(const Table& table, T value) {
  for (const auto& [name, candidate] : table) {
    if (candidate == value) return name;
  }
  throw Error(ErrorKind::kInternal, "an enumerator without a name");
}

/// A member of the object, counted so that unknown ones show.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {
    if (!object.is_object()) refuse("is not a JSON object");
  }

  const Json& at(const char* name) {
    const auto found = object_.find(name);
    if (found == object_.end()) refuse(fmt::format("\"{}\" is missing", name));
    ++seen_;
    return *found;
  }

  std::string text(const char* name) {
    const Json& value = at(name);
    if (!value.is_string()) refuse(fmt::format("\"{}\" is not a word", name));
    return value.get<std::string>();
  }

  int side(const char* name) {
    const Json& value = at(name);
    const bool fits = value.is_number_integer() && value >= 1 && value <= kMaxInputSide;
    if (!fits) refuse(fmt::format("\"{}\" is not a whole number in 1…{}", name, kMaxInputSide));
    return value.get<int>();
  }

  float number(const char* name) { return finite(at(name), name); }

  std::array<float, 3> three(const char* name) {
    const Json& value = at(name);
    if (!value.is_array() || value.size() != 3)
      refuse(fmt::format("\"{}\" is not three numbers", name));
    return {finite(value[0], name), finite(value[1], name), finite(value[2], name)};
  }

  template <typename Table>
  auto choice(const char* name, const Table& table) {
    const std::string wanted = text(name);
    for (const auto& [candidate, value] : table) {
      if (wanted == candidate) return value;
    }
    refuse(fmt::format("\"{}\" is unknown; a newer engraft may know it", name));
  }

  void require_no_more() const {
    if (seen_ != object_.size()) refuse("has members that this engraft does not know");
  }

 private:
  static float finite(const Json& value, const char* name) {
    if (!value.is_number()) refuse(fmt::format("\"{}\" is not a number", name));
    const float number = value.get<float>();
    if (!std::isfinite(number)) refuse(fmt::format("\"{}\" is not a finite number", name));
    return number;
  }

  const Json& object_;
  std::size_t seen_ = 0;
};

Interpolation interpolation_named(std::string_view wanted) {
  for (const Interpolation candidate : kInterpolations) {
    if (name_of(candidate) == wanted) return candidate;
  }
  refuse("\"interpolation\" is unknown; a newer engraft may know it");
}

}  // namespace

std::string to_json(const Preprocessing& p) {
  Json json;
  json["width"] = p.width;
  json["height"] = p.height;
  json["mode"] = name_in(kModes, p.mode);
  json["interpolation"] = name_of(p.interpolation);
  json["crop_fraction"] = p.crop_fraction;
  json["channels"] = name_in(kChannels, p.channels);
  json["scale"] = p.scale;
  json["offset"] = p.offset;
  return json.dump();
}

Preprocessing preprocessing_from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) refuse("is not JSON");
  Members members(json);
  Preprocessing p;
  p.width = members.side("width");
  p.height = members.side("height");
  p.mode = members.choice("mode", kModes);
  p.interpolation = interpolation_named(members.text("interpolation"));
  p.crop_fraction = members.number("crop_fraction");
  if (!(p.crop_fraction > 0 && p.crop_fraction <= 1)) refuse("\"crop_fraction\" is not in (0, 1]");
  p.channels = members.choice("channels", kChannels);
  p.scale = members.three("scale");
  p.offset = members.three("offset");
  members.require_no_more();
  return p;
}

}  // namespace engraft
