#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace engraft::test {

struct Tag {
  std::string name;
  bool closing = false, empty = false;
  std::vector<std::pair<std::string, std::string>> attributes;
};

/// What a strict reading of markup finds; an error's text is empty when there is none.
struct Markup {
  std::vector<Tag> tags;
  std::string text;  ///< between the tags, the style sheet left out
  std::string error;
};

/// Reads HTML or XML as strictly as is needed here: every attribute quoted, every element closed in
/// order (HTML's void elements aside), no bare < or & in text.
inline Markup read_markup(std::string_view source) {
  const std::set<std::string> void_elements = {"meta", "br", "img", "hr", "link"};
  Markup markup;
  std::vector<std::string> open;
  const auto fail = [&](const std::string& why, std::size_t at) {
    markup.error = why + " at " + std::to_string(at) + ": " + std::string(source.substr(at, 80));
    return markup;
  };
  for (std::size_t i = 0; i < source.size();) {
    if (source[i] == '&') {
      const std::size_t end = source.find(';', i);
      if (end == source.npos || end - i > 7) return fail("bare &", i);
    }
    if (source[i] != '<') {
      if (source[i] == '>') return fail("bare >", i);
      markup.text += source[i++];
      continue;
    }
    const std::size_t start = i;
    if (source.compare(i, 2, "<!") == 0 || source.compare(i, 2, "<?") == 0) {
      i = source.find('>', i) + 1;
      if (i == 0) return fail("open declaration", start);
      continue;
    }
    ++i;
    Tag tag;
    tag.closing = source[i] == '/';
    if (tag.closing) ++i;
    while (i < source.size() && (std::isalnum(static_cast<unsigned char>(source[i])) != 0)) {
      tag.name += source[i++];
    }
    if (tag.name.empty()) return fail("bare <", start);
    while (i < source.size() && source[i] != '>') {
      if (source[i] == ' ' || source[i] == '\n') {
        ++i;
        continue;
      }
      if (source[i] == '/') {
        tag.empty = true;
        ++i;
        continue;
      }
      const std::size_t equals = source.find('=', i);
      if (equals == source.npos || source[equals + 1] != '"') return fail("unquoted attribute", i);
      const std::size_t end = source.find('"', equals + 2);
      if (end == source.npos) return fail("open attribute", i);
      tag.attributes.emplace_back(source.substr(i, equals - i),
                                  source.substr(equals + 2, end - equals - 2));
      i = end + 1;
    }
    if (i >= source.size()) return fail("open tag", start);
    ++i;
    if (tag.closing) {
      if (open.empty() || open.back() != tag.name) return fail("unexpected </" + tag.name, start);
      open.pop_back();
    } else if (!tag.empty && !void_elements.contains(tag.name)) {
      open.push_back(tag.name);
      if (tag.name == "style") {  // raw text
        i = source.find("</style>", i);
        if (i == source.npos) return fail("open style", start);
      }
    }
    markup.tags.push_back(std::move(tag));
  }
  if (!open.empty()) markup.error = "never closed: " + open.back();
  return markup;
}

}  // namespace engraft::test
