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

}  // namespace engraft::cli
