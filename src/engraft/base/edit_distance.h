#pragma once

#include <cstddef>
#include <string_view>

namespace engraft {

/// Levenshtein's: the fewest single-byte insertions, removals and changes that make b of a. For
/// "did you mean" in messages.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace engraft
