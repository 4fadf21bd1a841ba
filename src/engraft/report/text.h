#pragma once

#include <string>
#include <string_view>

namespace engraft {

struct Estimate;

/// The text as Cairo and a page can show it: valid UTF-8 on one line. Tabs and line breaks become
/// spaces; bytes that are not UTF-8, control characters, noncharacters and marks that change the
/// direction of what follows become '?'.
[[nodiscard]] std::string clean_text(std::string_view text);

/// clean_text with & < > " ' as entities: safe as an element's content and as a quoted attribute's
/// value.
[[nodiscard]] std::string html_escape(std::string_view text);

/// The first `count` code points of valid UTF-8; all of it if there are no more.
[[nodiscard]] std::string_view first_code_points(std::string_view text, std::size_t count);
[[nodiscard]] std::size_t count_code_points(std::string_view text);

/// A share in [0, 1] as a percentage, "96.8 %"; "–" for NaN.
[[nodiscard]] std::string percent(double share, int decimals = 1);

/// The bounds of a share, "93.4 to 98.5 %".
[[nodiscard]] std::string interval(const Estimate& estimate);

}  // namespace engraft
