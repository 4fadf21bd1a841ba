#include "growth_drawing.h"

#include <cairo.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "engraft/report/axis.h"
#include "engraft/report/canvas.h"
#include "growth_frame.h"

namespace engraft::bench {
namespace {

constexpr std::size_t kColumns = 3;
constexpr double kHeading = 74;
constexpr double kBoxWidth = 222, kBoxHeight = 170;
constexpr double kLeft = 66, kRight = 82;  ///< of a box, for the labels beside it
constexpr double kAbove = 44, kBelow = 86;
constexpr std::size_t kMostLeftOut = 2;  ///< lines for which there is room
constexpr double kCellWidth = kLeft + kBoxWidth + kRight;
constexpr double kCellHeight = kAbove + kBoxHeight + kBelow;
constexpr double kLineGap = 13;    ///< between baselines
constexpr double kTickGap = 3;     ///< between labels below the x axis
constexpr double kBaseline = 3.4;  ///< of a label beside what it belongs to

constexpr TextStyle kTickStyle{.size = 9.5, .colour = palette::kMuted};

TextStyle aligned(Align align) {
  TextStyle style = kTickStyle;
  style.align = align;
  return style;
}

void horizontal(cairo_t* cairo, const Rectangle& box, double y) {
  cairo_move_to(cairo, box.x, y);
  cairo_line_to(cairo, box.right(), y);
  cairo_stroke(cairo);
}

void draw_y_axis(cairo_t* cairo, const Growth& growth, const Frame& frame) {
  cairo_set_line_width(cairo, 1);
  const auto level = [&](double value, const std::string& label) {
    set_colour(cairo, palette::kGrid);
    horizontal(cairo, frame.box, frame.y(value));
    draw_text(cairo, {frame.box.x - 8, frame.y(value) + kBaseline}, label, aligned(Align::kRight));
  };
  if (growth.y_scale == Scale::kLinear) {
    const Ticks ticks = round_ticks({.low = 0, .high = frame.high}, 5);
    for (const double value : ticks.values) level(value, tick_label(ticks, value));
    return;
  }
  for (const LogTick& tick : log_ticks({.low = frame.low, .high = frame.high}, 6)) {
    if (tick.labelled) {
      level(tick.value, value_text(tick.value, growth.lines.front().unit));
    } else {
      set_colour(cairo, palette::kAxis);
      cairo_move_to(cairo, frame.box.x, frame.y(tick.value));
      cairo_rel_line_to(cairo, tick.digit == 1 ? 5 : 3, 0);
      cairo_stroke(cairo);
    }
  }
}

/// Texts at the places of the x axis; one that would touch the one before it is left out.
void draw_row(cairo_t* cairo, const Growth& growth, const Frame& frame, double baseline,
              const std::function<std::string(std::size_t)>& text) {
  const TextStyle style = aligned(Align::kCentre);
  double end = -1;
  for (std::size_t i = 0; i < growth.xs.size(); ++i) {
    const std::string label = text(i);
    const double middle = frame.x(growth.xs[i]);
    const double half = text_width(cairo, label, style) / 2;
    if (middle - half < end + kTickGap) continue;
    draw_text(cairo, {middle, baseline}, label, style);
    end = middle + half;
  }
}

void draw_x_axis(cairo_t* cairo, const Growth& growth, const Frame& frame) {
  const Rectangle& box = frame.box;
  set_colour(cairo, palette::kAxis);
  cairo_set_line_width(cairo, 1);
  horizontal(cairo, box, box.bottom());
  for (const double x : growth.xs) {
    cairo_move_to(cairo, frame.x(x), box.bottom());
    cairo_rel_line_to(cairo, 0, 4);
    cairo_stroke(cairo);
  }
  double baseline = box.bottom() + 17;
  draw_row(cairo, growth, frame, baseline,
           [&](std::size_t i) { return short_number(growth.xs[i]); });
  for (const Series& note : growth.notes) {
    baseline += kLineGap + 1;
    draw_text(cairo, {box.x - 14, baseline}, note.name, aligned(Align::kRight));
    draw_row(cairo, growth, frame, baseline, [&](std::size_t i) {
      return std::isnan(note.values[i]) ? "–" : value_text(note.values[i], note.unit);
    });
  }
  baseline += 18;
  draw_text(cairo, {box.x + box.width / 2, baseline}, growth.x_name, aligned(Align::kCentre));
  for (std::size_t i = 0; i < std::min(growth.left_out.size(), kMostLeftOut); ++i) {
    baseline += kLineGap;
    draw_text(cairo, {box.x, baseline},
              fit_text(cairo, growth.left_out[i], kTickStyle, kBoxWidth + kRight), kTickStyle);
  }
}

void trace(cairo_t* cairo, const Growth& growth, const Series& series, const Frame& frame) {
  bool drawing = false;
  for (std::size_t i = 0; i < growth.xs.size(); ++i) {
    const double value = series.values[i];
    if (!std::isnan(value)) {
      (drawing ? cairo_line_to : cairo_move_to)(cairo, frame.x(growth.xs[i]), frame.y(value));
    }
    drawing = !std::isnan(value);
  }
  cairo_stroke(cairo);
}

void draw_line(cairo_t* cairo, const Growth& growth, const Series& series, const Frame& frame) {
  cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_width(cairo, 2.2);
  trace(cairo, growth, series, frame);
  for (std::size_t i = 0; i < growth.xs.size(); ++i) {
    if (std::isnan(series.values[i])) continue;
    cairo_new_sub_path(cairo);
    cairo_arc(cairo, frame.x(growth.xs[i]), frame.y(series.values[i]), 3, 0, 6.2832);
    cairo_fill(cairo);
  }
}

void draw_expected(cairo_t* cairo, const Growth& growth, const Series& series, const Frame& frame) {
  const double dashes[] = {4, 3};
  cairo_set_dash(cairo, dashes, 2, 0);
  cairo_set_line_width(cairo, 1.2);
  set_colour(cairo, palette::kAxis);
  trace(cairo, growth, series, frame);
  cairo_set_dash(cairo, nullptr, 0, 0);
}

/// A line's name and last value, at its right end.
struct EndLabel {
  std::string name, value;
  Colour colour;
  double x, y;  ///< of the line's end
  [[nodiscard]] double height() const { return name.empty() ? kLineGap : 2 * kLineGap; }
};

EndLabel end_label(const Growth& growth, const Series& series, const Frame& frame) {
  std::size_t last = growth.xs.size();
  while (last > 0 && std::isnan(series.values[last - 1])) --last;
  if (last == 0) return {};
  const double value = series.values[last - 1];
  return {.name = series.name,
          .value = value_text(value, series.unit),
          .colour = palette::kInk,
          .x = frame.x(growth.xs[last - 1]) + 10,
          .y = frame.y(value)};
}

/// From the top down, each below the one before it, and all above the x axis.
void push_apart(std::vector<EndLabel>& labels, const Rectangle& box) {
  std::ranges::sort(labels, {}, &EndLabel::y);
  double floor = box.bottom();
  for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
    label->y = std::min(label->y, floor - label->height() / 2);
    floor = label->y - label->height() / 2 - 2;
  }
}

void draw_end_label(cairo_t* cairo, const EndLabel& label) {
  double baseline = label.y + kBaseline - (label.name.empty() ? 0 : kLineGap / 2);
  if (!label.name.empty()) {
    draw_text(cairo, {label.x, baseline}, label.name,
              {.size = 10, .weight = Weight::kBold, .colour = label.colour});
    baseline += kLineGap;
  }
  draw_text(cairo, {label.x, baseline}, label.value, {.size = 10, .colour = label.colour});
}

void draw_title(cairo_t* cairo, const Growth& growth, const Frame& frame) {
  const double width = kBoxWidth + kRight;
  const TextStyle title{.size = 12, .weight = Weight::kBold};
  const double x = frame.box.x;
  draw_text(cairo, {x, frame.box.y - 28}, fit_text(cairo, growth.title, title, width), title);
  draw_text(cairo, {x, frame.box.y - 13}, fit_text(cairo, growth.remark, kTickStyle, width),
            kTickStyle);
}

void draw_panel(cairo_t* cairo, const Growth& growth, const Rectangle& box) {
  const Frame frame = frame_of(growth, box);
  draw_title(cairo, growth, frame);
  draw_y_axis(cairo, growth, frame);
  draw_x_axis(cairo, growth, frame);
  std::vector<EndLabel> labels;
  const auto label = [&](const Series& series, const Colour& colour) {
    EndLabel made = end_label(growth, series, frame);
    made.colour = colour;
    if (growth.lines.size() + growth.expected.size() == 1) made.name.clear();
    if (!made.value.empty()) labels.push_back(std::move(made));
  };
  for (const Series& series : growth.expected) {
    draw_expected(cairo, growth, series, frame);
    label(series, palette::kMuted);
  }
  for (std::size_t i = growth.lines.size(); i-- > 0;) {
    const Colour colour = i == 0 ? palette::kBlue : palette::kVermilion;
    set_colour(cairo, colour);
    draw_line(cairo, growth, growth.lines[i], frame);
    label(growth.lines[i], colour);
  }
  push_apart(labels, box);
  for (const EndLabel& made : labels) draw_end_label(cairo, made);
}

}  // namespace

Drawing growth_drawing(std::span<const Growth> growths, const std::string& machine) {
  const std::size_t rows = (growths.size() + kColumns - 1) / kColumns;
  const std::vector<Growth> shown(growths.begin(), growths.end());
  const auto paint = [shown, machine](cairo_t* cairo) {
    draw_text(cairo, {kLeft, 32}, "How engraft grows", {.size = 16, .weight = Weight::kBold});
    draw_text(cairo, {kLeft, 50}, machine, {.size = 10.5, .colour = palette::kMuted});
    for (std::size_t i = 0; i < shown.size(); ++i) {
      if (shown[i].xs.empty()) continue;
      draw_panel(cairo, shown[i],
                 {.x = kLeft + kCellWidth * static_cast<double>(i % kColumns),
                  .y = kHeading + kAbove + kCellHeight * static_cast<double>(i / kColumns),
                  .width = kBoxWidth,
                  .height = kBoxHeight});
    }
  };
  return {.width = kCellWidth * kColumns,
          .height = kHeading + kCellHeight * static_cast<double>(rows),
          .paint = paint};
}

}  // namespace engraft::bench
