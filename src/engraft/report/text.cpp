#include "engraft/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engraft/base/utf8.h"
#include "engraft/eval/metrics.h"

namespace engraft {
namespace {

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

/// The code point at the head of valid UTF-8.
std::uint32_t decode(std::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence.front());
  std::uint32_t code_point = lead < 0x80 ? lead : lead & (0x7Fu >> sequence.size());
  for (const char byte : sequence.substr(1)) {
    code_point = code_point << 6 | (static_cast<unsigned char>(byte) & 0x3Fu);
  }
  return code_point;
}

/// Noncharacters, which Cairo takes for invalid UTF-8; line separators; and marks that would turn
/// round the text after them.
bool is_unwelcome(std::uint32_t code_point) {
  const auto between = [code_point](std::uint32_t low, std::uint32_t high) {
    return code_point >= low && code_point <= high;
  };
  return (code_point & 0xFFFE) == 0xFFFE || between(0xFDD0, 0xFDEF) || between(0x2028, 0x202E) ||
         between(0x2066, 0x2069);
}

}  // namespace

std::string clean_text(std::string_view text) {
  std::string spaced(text);
  std::replace_if(
      spaced.begin(), spaced.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; },
      ' ');
  const std::string valid = printable(spaced);
  std::string clean;
  for (std::string_view rest = valid; !rest.empty();) {
    const std::string_view sequence = first_code_points(rest, 1);
    clean += is_unwelcome(decode(sequence)) ? "?" : sequence;
    rest.remove_prefix(sequence.size());
  }
  return clean;
}

std::string html_escape(std::string_view text) {
  std::string escaped;
  for (const char c : clean_text(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string_view first_code_points(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (!is_continuation(text[end]) && count-- == 0) break;
  }
  return text.substr(0, end);
}

std::size_t count_code_points(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += is_continuation(c) ? 0 : 1;
  return count;
}

std::string percent(double share, int decimals) {
  if (!std::isfinite(share)) return "–";
  return fmt::format("{:.{}f} %", 100 * share, decimals);
}

std::string interval(const Estimate& estimate) {
  return fmt::format("{:.1f} to {}", 100 * estimate.low, percent(estimate.high));
}

}  // namespace engraft
