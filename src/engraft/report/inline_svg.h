#pragma once

#include <string>
#include <string_view>

namespace engraft {

struct InlineSvg {
  std::string_view id_prefix;  ///< unique in the page: letters and digits
  std::string_view label;      ///< what screen readers say; not yet escaped
};

/// An SVG document of Cairo's as an element of an HTML page: without XML declaration, as wide as
/// its place but at most 1.3 pixels a point (10 points then read like the page's own text), and
/// with id_prefix before every id, because all drawings of a page share one name space and Cairo
/// counts from 0 in each.
[[nodiscard]] std::string inline_svg(std::string_view document, const InlineSvg& options);

}  // namespace engraft
