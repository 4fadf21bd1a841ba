#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

namespace engraft::cli {

/// An option's words, as name_of() has them.
template <typename Enum, std::size_t n>
[[nodiscard]] std::map<std::string, Enum> by_name(const Enum (&kinds)[n]) {
  std::map<std::string, Enum> values;
  for (const Enum kind : kinds) values.emplace(name_of(kind), kind);
  return values;
}

/// For CLI::Option::transform: one of these words, in any case.
template <typename Enum>
[[nodiscard]] CLI::Validator choice(const std::map<std::string, Enum>& values) {
  return {[values](std::string& word) -> std::string {
            std::vector<std::string> names;
            for (const auto& [name, value] : values) {
              if (CLI::detail::to_lower(word) == name) {
                word = std::to_string(static_cast<int>(value));
                return {};
              }
              names.push_back(name);
            }
            return fmt::format("'{}' is none of {}", word, fmt::join(names, ", "));
          },
          ""};  // the help text names the values
}

/// For CLI::Option::check: a number within the range, which the message names in few digits.
[[nodiscard]] inline CLI::Validator between(double low, double high) {
  return {[low, high](const std::string& word) -> std::string {
            double number = 0;
            const bool ok =
                CLI::detail::lexical_cast(word, number) && number >= low && number <= high;
            return ok ? std::string()
                      : fmt::format("{} is not a number from {} to {}", word, low, high);
          },
          ""};  // the help text names the range where it matters
}

/// The same without an upper end.
[[nodiscard]] inline CLI::Validator at_least(double low) {
  return {[low](const std::string& word) -> std::string {
            double number = 0;
            const bool ok = CLI::detail::lexical_cast(word, number) && number >= low;
            return ok ? std::string() : fmt::format("{} is not a number from {} on", word, low);
          },
          ""};
}

}  // namespace engraft::cli
