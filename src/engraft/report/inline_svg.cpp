#include "engraft/report/inline_svg.h"

#include <fmt/format.h>

#include "engraft/base/error.h"
#include "engraft/report/svg_ids.h"
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
  const std::string body = rename_ids(document.substr(end + 1), [&](std::string_view id) {
    return std::string(options.id_prefix).append(id);
  });
  return fmt::format(
      "<svg viewBox=\"{}\" style=\"max-width:calc(1.3 * {}px)\" role=\"img\" aria-label=\"{}\">{}",
      box, width, html_escape(options.label), body);
}

}  // namespace engraft
