#include "engraft/base/shell_word.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace engraft {

std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain = "/._-+,:=@%";
  const bool plain = !word.empty() && std::ranges::all_of(word, [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || std::isalnum(byte) != 0 || kPlain.find(c) != kPlain.npos;
  });
  if (plain) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string shell_path(const std::filesystem::path& path) {
  const std::string text = path.string();
  return shell_word(text.starts_with('-') ? "./" + text : text);
}

}  // namespace engraft
