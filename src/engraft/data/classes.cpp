#include "engraft/data/classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "engraft/base/error.h"
#include "engraft/base/utf8.h"

namespace engraft {
namespace {

constexpr std::size_t kMaxDigits = 15;

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorKind::kUsage, fmt::format("class names: {}", what));
}

void check_given(std::span<const std::string> given) {
  std::set<std::string_view> seen;
  for (const std::string& name : given) {
    if (name.empty()) refuse("one of them is empty");
    if (!is_printable(name)) refuse(fmt::format("'{}' is not plain UTF-8", printable(name)));
    if (!seen.insert(name).second) refuse(fmt::format("'{}' is there twice", name));
  }
}

bool all_whole_numbers(const std::set<std::string>& labels) {
  return std::all_of(labels.begin(), labels.end(),
                     [](const std::string& label) { return whole_number(label).has_value(); });
}

/// Labels are names of the given list, all of them, or all are numbers of places in it.
Classes match_given(const std::set<std::string>& labels, std::span<const std::string> given,
                    const std::string& source) {
  Classes classes;
  classes.names.assign(given.begin(), given.end());
  std::vector<std::string> unknown;
  for (const std::string& label : labels) {
    const auto found = std::find(given.begin(), given.end(), label);
    if (found == given.end()) unknown.push_back(label);
    classes.index[label] = static_cast<int>(found - given.begin());
  }
  if (unknown.empty()) return classes;
  if (!all_whole_numbers(labels)) {
    constexpr std::size_t kShown = 10;
    const auto shown = std::span(unknown).first(std::min(kShown, unknown.size()));
    refuse(fmt::format("{} has '{}'{}, not among '{}'{}; name every class, or leave it out", source,
                       fmt::join(shown, "', '"), unknown.size() > kShown ? " and more" : "",
                       fmt::join(given.first(std::min(kShown, given.size())), "', '"),
                       given.size() > kShown ? " and more" : ""));
  }
  for (auto& [label, index] : classes.index) {
    const std::int64_t value = *whole_number(label);
    if (value < 0 || value >= static_cast<std::int64_t>(given.size())) {
      refuse(fmt::format("label {} of {} has no name; {} name{} the labels 0 to {}", label, source,
                         given.size(), given.size() == 1 ? "s" : "", given.size() - 1));
    }
    index = static_cast<int>(value);
  }
  return classes;
}

}  // namespace

std::optional<std::int64_t> whole_number(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot != std::string_view::npos) {
    const std::string_view fraction = text.substr(dot + 1);
    if (fraction.find_first_not_of('0') != std::string_view::npos) return std::nullopt;
    text = text.substr(0, dot);
  }
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > kMaxDigits ||
      text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return negative ? -value : value;
}

Classes order_classes(const std::set<std::string>& labels, std::span<const std::string> given,
                      NumberNames numbers, const std::string& source) {
  check_given(given);
  if (!given.empty()) return match_given(labels, given, source);
  const bool numeric = all_whole_numbers(labels);
  std::vector<std::tuple<std::int64_t, std::string, std::string>> order;  // value, name, label
  for (const std::string& label : labels) {
    const std::int64_t value = numeric ? *whole_number(label) : 0;
    const bool by_value = numeric && numbers == NumberNames::kByValue;
    order.emplace_back(value, by_value ? std::to_string(value) : label, label);
  }
  std::sort(order.begin(), order.end());
  Classes classes;
  for (const auto& [value, name, label] : order) {
    if (classes.names.empty() || classes.names.back() != name) classes.names.push_back(name);
    classes.index[label] = static_cast<int>(classes.names.size()) - 1;
  }
  return classes;
}

}  // namespace engraft
