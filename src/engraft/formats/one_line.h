#pragma once

#include <string>
#include <string_view>

#include "engraft/base/utf8.h"

namespace engraft {

/// Text with names out of a file in it, fit for a message: no control characters, and not longer
/// than a message should be.
[[nodiscard]] inline std::string one_line(std::string_view text) {
  constexpr std::size_t kLongest = 500;
  return text.size() <= kLongest ? printable(text) : printable(text.substr(0, kLongest)) + "…";
}

}  // namespace engraft
