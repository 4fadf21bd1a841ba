#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engraft/report/canvas.h"
#include "engraft/report/drawings.h"
#include "engraft/report/libcairo.h"
#include "engraft/report/text.h"

namespace engraft {
namespace {

constexpr double kMargin = 18;
constexpr double kLongestLabel = 180;
constexpr double kLargestMatrix = 900;  ///< side, points
constexpr double kSlant = std::numbers::pi / 4;
constexpr double kLegendHeight = 50;
constexpr int kMostWithShares = 7;  ///< classes up to which cells have room for the share too

/// What is drawn and where everything goes.
struct Layout {
  std::vector<std::vector<int>> counts;
  std::vector<int> totals;          ///< of each row
  std::vector<std::string> labels;  ///< fitted
  double cell = 0;
  double left = 0, top = 0;    ///< of the matrix
  std::size_t label_step = 1;  ///< every how many classes are named
  bool slanted = false;        ///< column labels
  TextStyle label_style;
  [[nodiscard]] double side() const { return cell * static_cast<double>(counts.size()); }
};

double cell_side(std::size_t classes) {
  constexpr double kSides[][2] = {{2, 108}, {3, 88}, {5, 72}, {8, 56}, {12, 44}, {20, 34}};
  for (const auto& [most, side] : kSides) {
    if (static_cast<double>(classes) <= most) return side;
  }
  return std::min(30.0, kLargestMatrix / static_cast<double>(classes));
}

std::string class_name(const RunRecord& run, std::size_t i) {
  return i < run.class_names.size() ? run.class_names[i] : fmt::format("class {}", i);
}

/// A square matrix whatever the record holds: short rows are filled with zeros.
std::vector<std::vector<int>> square(std::vector<std::vector<int>> counts) {
  for (auto& row : counts) row.resize(counts.size());
  return counts;
}

Layout layout_of(const RunRecord& run) {
  Layout layout;
  layout.counts = square(run.evaluation.confusion);
  const std::size_t classes = layout.counts.size();
  layout.cell = cell_side(classes);
  layout.label_style = {.size = std::clamp(layout.cell * 0.5, 8.0, 11.0)};
  const double spacing = layout.label_style.size * 1.3;
  layout.label_step = static_cast<std::size_t>(std::max(1.0, std::ceil(spacing / layout.cell)));
  const ScratchContext scratch;
  double widest = 0;
  for (std::size_t i = 0; i < classes; ++i) {
    int total = 0;
    for (const int count : layout.counts[i]) total += count;
    layout.totals.push_back(total);
    layout.labels.push_back(
        fit_text(scratch.get(), class_name(run, i), layout.label_style, kLongestLabel));
    widest = std::max(widest, text_width(scratch.get(), layout.labels[i], layout.label_style));
  }
  layout.slanted = widest > layout.cell - 8;
  layout.left = kMargin + 22 + widest + 10;
  layout.top = kMargin + 22 + (layout.slanted ? widest * std::sin(kSlant) + 8 : 18) + 6;
  return layout;
}

void draw_column_label(cairo_t* cairo, const Layout& layout, std::size_t i) {
  const double x = layout.left + (static_cast<double>(i) + 0.5) * layout.cell;
  TextStyle style = layout.label_style;
  if (!layout.slanted) {
    style.align = Align::kCentre;
    draw_text(cairo, {x, layout.top - 9}, layout.labels[i], style);
    return;
  }
  cairo_save(cairo);
  cairo_translate(cairo, x + 2, layout.top - 6);
  cairo_rotate(cairo, -kSlant);
  draw_text(cairo, {0, style.size * 0.3}, layout.labels[i], style);
  cairo_restore(cairo);
}

void draw_labels(cairo_t* cairo, const Layout& layout) {
  const TextStyle axis{.size = 10, .colour = palette::kMuted};
  draw_text(cairo, {layout.left, kMargin + 8}, "predicted →", axis);
  cairo_save(cairo);
  cairo_translate(cairo, kMargin + 8, layout.top);
  cairo_rotate(cairo, -std::numbers::pi / 2);
  TextStyle turned = axis;
  turned.align = Align::kRight;
  draw_text(cairo, {0, 0}, "← true", turned);
  cairo_restore(cairo);
  for (std::size_t i = 0; i < layout.labels.size(); i += layout.label_step) {
    TextStyle style = layout.label_style;
    style.align = Align::kRight;
    const double y = layout.top + (static_cast<double>(i) + 0.5) * layout.cell;
    draw_text(cairo, {layout.left - 9, y + style.size * 0.35}, layout.labels[i], style);
    draw_column_label(cairo, layout, i);
  }
}

/// The exponent lets a few percent be seen.
Colour cell_colour(bool right, double share) {
  const Colour& full = right ? palette::kBlue : palette::kVermilion;
  return mix(palette::kPaper, full, 0.06 + 0.94 * std::pow(share, 0.7));
}

void draw_cell_text(cairo_t* cairo, const Rectangle& box, int count, double share,
                    std::size_t classes) {
  const double size = std::min(15.0, box.height * 0.36);
  const std::string text = fmt::format("{}", count);
  TextStyle style{.size = size,
                  .weight = Weight::kBold,
                  .colour = share > 0.45 ? palette::kPaper : palette::kInk,
                  .align = Align::kCentre};
  const double width = text_width(cairo, text, style);
  if (width > box.width - 3) style.size *= (box.width - 3) / width;
  if (style.size < 5) return;
  const double x = box.x + box.width / 2;
  const double y = box.y + box.height / 2 + style.size * 0.36;
  if (classes > kMostWithShares) {
    draw_text(cairo, {x, y}, text, style);
    return;
  }
  draw_text(cairo, {x, y - 6}, text, style);
  style.size = 8.5;
  style.weight = Weight::kNormal;
  draw_text(cairo, {x, y + 10}, percent(share, share < 0.1 ? 1 : 0), style);
}

void draw_cells(cairo_t* cairo, const Layout& layout) {
  const std::size_t classes = layout.counts.size();
  const double gap = layout.cell >= 14 ? 1 : layout.cell >= 6 ? 0.5 : 0;
  set_colour(cairo, hex(0xF6F7F9));
  cairo_rectangle(cairo, layout.left, layout.top, layout.side(), layout.side());
  cairo_fill(cairo);
  for (std::size_t i = 0; i < classes; ++i) {
    for (std::size_t j = 0; j < classes; ++j) {
      const int count = layout.counts[i][j];
      if (count <= 0) continue;
      const double share = static_cast<double>(count) / layout.totals[i];
      const Rectangle box{.x = layout.left + static_cast<double>(j) * layout.cell + gap,
                          .y = layout.top + static_cast<double>(i) * layout.cell + gap,
                          .width = layout.cell - 2 * gap,
                          .height = layout.cell - 2 * gap};
      set_colour(cairo, cell_colour(i == j, share));
      cairo_rectangle(cairo, box.x, box.y, box.width, box.height);
      cairo_fill(cairo);
      draw_cell_text(cairo, box, count, share, classes);
    }
  }
  set_colour(cairo, palette::kGrid);
  cairo_set_line_width(cairo, 1);
  cairo_rectangle(cairo, layout.left, layout.top, layout.side(), layout.side());
  cairo_stroke(cairo);
}

void draw_gradient(cairo_t* cairo, const Rectangle& box, bool right) {
  constexpr int kStops = 8;
  cairo_pattern_t* gradient = cairo_pattern_create_linear(box.x, 0, box.right(), 0);
  for (int stop = 0; stop <= kStops; ++stop) {
    const double share = static_cast<double>(stop) / kStops;
    const Colour colour = cell_colour(right, share);
    cairo_pattern_add_color_stop_rgb(gradient, share, colour.red, colour.green, colour.blue);
  }
  cairo_set_source(cairo, gradient);
  cairo_pattern_destroy(gradient);
  cairo_rectangle(cairo, box.x, box.y, box.width, box.height);
  cairo_fill(cairo);
}

void draw_key(cairo_t* cairo, Point at) {
  constexpr double kBarWidth = 60;
  constexpr std::string_view kMeaning = "share of the row, 0 to 100 %";
  const TextStyle style{.size = 9, .colour = palette::kMuted};
  draw_text(cairo, {at.x, at.y + 9}, kMeaning, style);
  double left = at.x + text_width(cairo, kMeaning, style) + 14;
  for (const bool right : {true, false}) {
    draw_gradient(cairo, {.x = left, .y = at.y, .width = kBarWidth, .height = 11}, right);
    draw_text(cairo, {left + kBarWidth + 6, at.y + 9}, right ? "right" : "wrong", style);
    left += kBarWidth + 46;
  }
}

}  // namespace

Drawing confusion(const RunRecord& run) {
  if (run.evaluation.confusion.empty()) {
    return {.width = 420, .height = 60, .paint = [](cairo_t* cairo) {
              draw_text(cairo, {210, 34}, "nothing was evaluated",
                        {.colour = palette::kMuted, .align = Align::kCentre});
            }};
  }
  Layout layout = layout_of(run);
  constexpr double kKeyWidth = 370;
  const double overhang = layout.slanted ? (layout.top - kMargin - 36) + 8 : 0;
  const double width =
      std::max(layout.left + layout.side() + overhang, kMargin + kKeyWidth) + kMargin;
  const double height = layout.top + layout.side() + kLegendHeight;
  return {.width = width, .height = height, .paint = [layout = std::move(layout)](cairo_t* cairo) {
            draw_labels(cairo, layout);
            draw_cells(cairo, layout);
            draw_key(cairo, {kMargin + 4, layout.top + layout.side() + 20});
          }};
}

}  // namespace engraft
