#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace engraft {

/// An SVG of Cairo's with every id, where it is defined and where it is used, replaced by name(id).
[[nodiscard]] std::string rename_ids(std::string_view svg,
                                     const std::function<std::string(std::string_view)>& name);

/// With ids that count from 0 in the order of the text. Cairo's own count on from drawing to
/// drawing through the life of the process.
[[nodiscard]] std::string number_ids(std::string_view svg);

}  // namespace engraft
