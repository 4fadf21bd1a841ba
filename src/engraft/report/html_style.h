#pragma once

#include <string_view>

namespace engraft {

/// The style sheet of html_report: light and dark, wide and narrow, screen and paper.
[[nodiscard]] std::string_view html_style();

}  // namespace engraft
