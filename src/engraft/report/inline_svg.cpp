#include "engraft/report/inline_svg.h"

#include <fmt/format.h>

#include <array>

#include "engraft/base/error.h"
#include "engraft/report/text.h"

namespace engraft {
namespace {

/// The value of an attribute in an opening tag; empty if it has none.
std::string_view attribute(std::string_view tag, std::string_view name) {
  const std::string opening = fmt::format(" {}=\"", name);
  const std::size_t begin = tag.find(opening);
  if (begin == tag.npos) return {};
  const std::size_t from = begin + opening.size();
  return tag.substr(from, tag.find('"', from) - from);
}

/// Every place where Cairo writes or uses an id. Base64 data has neither quotes nor '#', so a
/// picture inside is never touched.
std::string prefix_ids(std::string_view body, std::string_view prefix) {
  constexpr std::array<std::string_view, 3> kBefore = {" id=\"", "url(#", "href=\"#"};
  std::string result;
  result.reserve(body.size() + body.size() / 8);
  for (std::size_t i = 0; i < body.size();) {
    bool found = false;
    for (const std::string_view before : kBefore) {
      if (body.compare(i, before.size(), before) != 0) continue;
      result.append(before).append(prefix);
      i += before.size();
      found = true;
      break;
    }
    if (!found) result += body[i++];
  }
  return result;
}

}  // namespace

std::string inline_svg(std::string_view document, const InlineSvg& options) {
  const std::size_t begin = document.find("<svg");
  const std::size_t end = begin == document.npos ? begin : document.find('>', begin);
  if (end == document.npos) throw Error(ErrorKind::kInternal, "a drawing gave no SVG element");
  const std::string_view tag = document.substr(begin, end - begin);
  const std::string_view box = attribute(tag, "viewBox");
  // "0 0 900 330": the third number is the width.
  const std::size_t second = box.find(' ', box.find(' ') + 1);
  const std::string_view width = box.substr(second + 1, box.find(' ', second + 1) - second - 1);
  return fmt::format(
      "<svg viewBox=\"{}\" style=\"max-width:calc(1.3 * {}px)\" role=\"img\" aria-label=\"{}\">{}",
      box, width, html_escape(options.label),
      prefix_ids(document.substr(end + 1), options.id_prefix));
}

}  // namespace engraft
