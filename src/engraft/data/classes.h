#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engraft {

/// The classes of a dataset, and which of them a label text means.
struct Classes {
  std::vector<std::string> names;
  std::map<std::string, int, std::less<>> index;  ///< of every label text
};

/// The whole number that a label states: "7", "-1", "1.0"; up to 15 digits.
[[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view text);

/// How labels that are numbers become names when nobody gave names.
enum class NumberNames {
  kAsWritten,  ///< folders "01" and "1" are two classes
  kByValue,    ///< rows "1" and "1.0" are one class, "1"
};

/// Orders the classes as load_dataset() says. source names where the labels come from, for
/// messages. Throws Error(kUsage) when `given` has an empty, unprintable or repeated name or does
/// not cover the labels.
[[nodiscard]] Classes order_classes(const std::set<std::string>& labels,
                                    std::span<const std::string> given, NumberNames numbers,
                                    const std::string& source);

}  // namespace engraft
