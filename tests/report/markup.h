#pragma once

#include <cctype>
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

class MarkupReader {
 public:
  explicit MarkupReader(std::string_view source) : source_(source) {}

  Markup read() {
    while (at_ < source_.size() && markup_.error.empty()) {
      if (looking_at("<!") || looking_at("<?")) {
        skip_past(">");
      } else if (source_[at_] == '<') {
        read_tag();
      } else {
        read_character();
      }
    }
    if (markup_.error.empty() && !open_.empty()) markup_.error = "never closed: " + open_.back();
    return std::move(markup_);
  }

 private:
  [[nodiscard]] bool looking_at(std::string_view text) const {
    return source_.compare(at_, text.size(), text) == 0;
  }

  void fail(const std::string& why) {
    markup_.error =
        why + " at " + std::to_string(at_) + ": " + std::string(source_.substr(at_, 80));
    at_ = source_.size();
  }

  void skip_past(std::string_view end) {
    const std::size_t found = source_.find(end, at_);
    if (found == source_.npos) return fail("no end");
    at_ = found + end.size();
  }

  void read_character() {
    const char c = source_[at_];
    if (c == '>') return fail("bare >");
    if (c == '&') {
      const std::size_t end = source_.find(';', at_);
      if (end == source_.npos || end - at_ > 7) return fail("bare &");
    }
    markup_.text += c;
    ++at_;
  }

  void read_tag() {
    ++at_;
    Tag tag;
    tag.closing = looking_at("/");
    if (tag.closing) ++at_;
    while (at_ < source_.size() && std::isalnum(static_cast<unsigned char>(source_[at_])) != 0) {
      tag.name += source_[at_++];
    }
    if (tag.name.empty()) return fail("bare <");
    while (at_ < source_.size() && source_[at_] != '>') read_attribute(tag);
    if (at_ >= source_.size()) return;
    ++at_;
    nest(tag);
    markup_.tags.push_back(std::move(tag));
  }

  void read_attribute(Tag& tag) {
    const char c = source_[at_];
    if (c == ' ' || c == '\n' || c == '/') {
      tag.empty |= c == '/';
      ++at_;
      return;
    }
    const std::size_t equals = source_.find('=', at_);
    if (equals == source_.npos || source_.substr(equals, 2) != "=\"") return fail("no quote");
    const std::size_t end = source_.find('"', equals + 2);
    if (end == source_.npos) return fail("open attribute");
    tag.attributes.emplace_back(source_.substr(at_, equals - at_),
                                source_.substr(equals + 2, end - equals - 2));
    at_ = end + 1;
  }

  void nest(const Tag& tag) {
    static const std::set<std::string> kVoid = {"meta", "br", "img", "hr", "link"};
    if (tag.closing) {
      if (open_.empty() || open_.back() != tag.name) return fail("unexpected </" + tag.name);
      open_.pop_back();
    } else if (!tag.empty && !kVoid.contains(tag.name)) {
      open_.push_back(tag.name);
      if (tag.name == "style") {  // raw text
        const std::size_t end = source_.find("</style>", at_);
        if (end == source_.npos) return fail("open style");
        at_ = end;
      }
    }
  }

  std::string_view source_;
  std::size_t at_ = 0;
  Markup markup_;
  std::vector<std::string> open_;
};

/// Reads HTML or XML as strictly as is needed here: every attribute quoted, every element closed in
/// order (HTML's void elements aside), no bare < > or & in text.
inline Markup read_markup(std::string_view source) {
  return MarkupReader(source).read();
}

}  // namespace engraft::test
