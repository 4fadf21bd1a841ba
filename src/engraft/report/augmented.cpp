#include <algorithm>
#include <cmath>
#include <utility>

#include "engraft/image/resize.h"
#include "engraft/report/canvas.h"
#include "engraft/report/drawings.h"
#include "engraft/report/libcairo.h"
#include "engraft/report/photograph.h"
#include "engraft/report/text.h"

namespace engraft {
namespace {

constexpr std::size_t kMostRows = 10;
constexpr std::size_t kMostViews = 8;
constexpr double kMargin = 18;
/// 224 pixels of a picture are then as many of the PNG.
constexpr double kThumbWidth = 112;
constexpr int kThumbPixelsPerPoint = 2;
constexpr double kGap = 6;
constexpr double kGapAfterOriginal = 22;
constexpr double kCaptionHeight = 28;
constexpr double kRadius = 5;
constexpr double kLineHeight = 14;
constexpr double kLeastTextWidth = 320;
/// Of height to width: even a thread of a picture stays one that can be looked at.
constexpr double kFlattest = 0.4, kTallest = 2.5;

constexpr TextStyle kTitle{.size = 14, .weight = Weight::kBold};
constexpr TextStyle kSummary{.size = 10, .colour = palette::kMuted};
constexpr TextStyle kHeading{.size = 9.5, .weight = Weight::kBold, .colour = palette::kMuted};
constexpr TextStyle kLabel{.size = 10.5, .weight = Weight::kBold};
constexpr TextStyle kNote{.size = 8.5, .colour = palette::kMuted};

struct Cell {
  Photograph picture;  ///< null: there is none
  std::string caption;
};

struct Layout {
  std::string title;
  std::vector<std::string> summary;     ///< lines
  std::vector<std::vector<Cell>> rows;  ///< the original first
  std::size_t views = 0;                ///< of the longest row
  Size thumb;                           ///< points
  double text_width = 0;

  [[nodiscard]] double top() const {
    const double lines = static_cast<double>(summary.size());
    return kMargin + 20 + lines * kLineHeight + 28;
  }
  [[nodiscard]] double row_height() const { return thumb.height + kCaptionHeight; }
  [[nodiscard]] double left(std::size_t column) const {
    const double step = thumb.width + kGap;
    return kMargin + static_cast<double>(column) * step +
           (column > 0 ? kGapAfterOriginal - kGap : 0);
  }
  [[nodiscard]] double pictures_width() const { return left(views) + thumb.width - kMargin; }
};

/// Breaks at spaces; a word that is too long alone is cut.
std::vector<std::string> wrap(cairo_t* cairo, const std::string& text, const TextStyle& style,
                              double width) {
  std::vector<std::string> lines;
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    const std::string longer = line.empty() ? word : line + " " + word;
    if (line.empty() || text_width(cairo, longer, style) <= width) {
      line = longer;
    } else {
      lines.push_back(std::exchange(line, word));
    }
    at = end + 1;
  }
  if (!line.empty()) lines.push_back(line);
  for (std::string& part : lines) part = fit_text(cairo, part, style, width);
  return lines;
}

/// In points, from the first picture there is; square without any.
Size thumb_size(const AugmentedSheet& sheet) {
  double proportion = 1;
  for (const AugmentedRow& row : sheet.rows) {
    if (row.original.width < 1 || row.original.height < 1) continue;
    proportion = std::clamp(static_cast<double>(row.original.height) / row.original.width,
                            kFlattest, kTallest);
    break;
  }
  return {.width = static_cast<int>(kThumbWidth),
          .height = static_cast<int>(std::lround(kThumbWidth * proportion))};
}

Photograph thumbnail(const Image& picture, Size thumb) {
  const Size largest{.width = thumb.width * kThumbPixelsPerPoint,
                     .height = thumb.height * kThumbPixelsPerPoint};
  if (picture.width <= largest.width && picture.height <= largest.height) {
    return photograph(picture);
  }
  if (picture.width < 1 || picture.height < 1) return nullptr;
  return photograph(resize(picture, largest, Interpolation::kBilinearAntialiased));
}

Layout layout_of(const AugmentedSheet& sheet) {
  Layout layout{.title = sheet.title,
                .summary = {},
                .rows = {},
                .views = 0,
                .thumb = thumb_size(sheet),
                .text_width = kLeastTextWidth};
  for (std::size_t r = 0; r < std::min(sheet.rows.size(), kMostRows); ++r) {
    const AugmentedRow& row = sheet.rows[r];
    const std::size_t views = std::min(row.views.size(), kMostViews);
    std::vector<Cell> cells{{thumbnail(row.original, layout.thumb), row.label}};
    for (std::size_t v = 0; v < views; ++v) {
      cells.push_back({thumbnail(row.views[v].picture, layout.thumb), row.views[v].note});
    }
    layout.views = std::max(layout.views, views);
    layout.rows.push_back(std::move(cells));
  }
  layout.text_width = std::max(layout.pictures_width(), kLeastTextWidth);
  const ScratchContext scratch;
  layout.summary = wrap(scratch.get(), sheet.summary, kSummary, layout.text_width);
  return layout;
}

void draw_head(cairo_t* cairo, const Layout& layout) {
  double y = kMargin + 12;
  draw_text(cairo, {kMargin, y}, fit_text(cairo, layout.title, kTitle, layout.text_width), kTitle);
  y += 5;
  for (const std::string& line : layout.summary) {
    y += kLineHeight;
    draw_text(cairo, {kMargin, y}, line, kSummary);
  }
  if (layout.rows.empty()) return;
  y = layout.top() - 7;
  draw_text(cairo, {layout.left(0), y}, "original", kHeading);
  if (layout.views > 0) draw_text(cairo, {layout.left(1), y}, "augmented", kHeading);
}

void draw_cell(cairo_t* cairo, const Cell& cell, const Rectangle& box, const TextStyle& caption) {
  draw_photograph(cairo, cell.picture, box, kRadius);
  rounded_rectangle(
      cairo,
      {.x = box.x + 0.4, .y = box.y + 0.4, .width = box.width - 0.8, .height = box.height - 0.8},
      kRadius - 0.4);
  cairo_set_line_width(cairo, 0.8);
  set_colour(cairo, hex(0x000000, 0.18));
  cairo_stroke(cairo);
  draw_text(cairo, {box.x + 1, box.bottom() + 13},
            fit_text(cairo, cell.caption, caption, box.width - 2), caption);
}

void draw_rule(cairo_t* cairo, const Layout& layout) {
  const double x = layout.left(1) - kGapAfterOriginal / 2;
  const double end =
      layout.top() + static_cast<double>(layout.rows.size()) * layout.row_height() - kCaptionHeight;
  cairo_move_to(cairo, x, layout.top());
  cairo_line_to(cairo, x, end);
  cairo_set_line_width(cairo, 1);
  set_colour(cairo, palette::kGrid);
  cairo_stroke(cairo);
}

void draw_sheet(cairo_t* cairo, const Layout& layout) {
  draw_head(cairo, layout);
  if (layout.rows.empty()) {
    draw_text(cairo, {kMargin, layout.top()}, "no pictures to show", kSummary);
    return;
  }
  if (layout.views > 0) draw_rule(cairo, layout);
  double y = layout.top();
  for (const std::vector<Cell>& row : layout.rows) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      draw_cell(cairo, row[column],
                {.x = layout.left(column),
                 .y = y,
                 .width = static_cast<double>(layout.thumb.width),
                 .height = static_cast<double>(layout.thumb.height)},
                column == 0 ? kLabel : kNote);
    }
    y += layout.row_height();
  }
}

}  // namespace

Drawing augmented(const AugmentedSheet& sheet) {
  Layout layout = layout_of(sheet);
  const double rows = static_cast<double>(layout.rows.size());
  const double height = layout.top() + std::max(rows * layout.row_height(), kLineHeight);
  return {.width = 2 * kMargin + layout.text_width,
          .height = height + kMargin / 2,
          .paint = [layout = std::move(layout)](cairo_t* cairo) { draw_sheet(cairo, layout); }};
}

}  // namespace engraft
