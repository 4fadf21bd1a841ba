#include "engraft/report/svg_ids.h"

#include <fmt/format.h>

#include <array>
#include <map>

namespace engraft {
namespace {

struct Place {
  std::string_view before;
  char after;
};
/// Everywhere that Cairo writes or uses an id. Base64 data has neither quotes nor '#', so a picture
/// inside is never touched.
constexpr std::array<Place, 3> kPlaces = {{{" id=\"", '"'}, {"url(#", ')'}, {"href=\"#", '"'}}};

/// The id at the head of text, if one of the places is there.
std::string_view id_after(std::string_view text, const Place& place) {
  if (!text.starts_with(place.before)) return {};
  const std::size_t end = text.find(place.after, place.before.size());
  return end == text.npos ? std::string_view()
                          : text.substr(place.before.size(), end - place.before.size());
}

}  // namespace

std::string rename_ids(std::string_view svg,
                       const std::function<std::string(std::string_view)>& name) {
  std::string result;
  result.reserve(svg.size() + svg.size() / 8);
  while (!svg.empty()) {
    std::size_t taken = 0;
    for (const Place& place : kPlaces) {
      const std::string_view id = id_after(svg, place);
      if (id.empty()) continue;
      result.append(place.before).append(name(id));
      taken = place.before.size() + id.size();
      break;
    }
    if (taken == 0) {
      result += svg.front();
      taken = 1;
    }
    svg.remove_prefix(taken);
  }
  return result;
}

std::string number_ids(std::string_view svg) {
  std::map<std::string, std::string, std::less<>> names;
  return rename_ids(svg, [&](std::string_view id) {
    const auto known = names.find(id);
    if (known != names.end()) return known->second;
    return names.emplace(id, fmt::format("i{}", names.size())).first->second;
  });
}

}  // namespace engraft
