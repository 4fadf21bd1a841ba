#pragma once

#include <string_view>

namespace engraft {

/// assets/imagenet_classes.tsv: a line a class, "n01440764<TAB>tench".
[[nodiscard]] std::string_view imagenet_table();

}  // namespace engraft
