#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engraft/report/axis.h"
#include "engraft/report/canvas.h"
#include "engraft/report/distill_report.h"
#include "engraft/report/libcairo.h"
#include "engraft/report/text.h"

namespace engraft {
namespace {

constexpr double kWidth = 780, kHeight = 310;
constexpr TextStyle kTickStyle{.size = 9.5, .colour = palette::kMuted};

enum class Unit { kShare, kNats };

struct Line {
  const char* name;
  Colour colour;
  bool dashed;
  double DistillPoint::*value;
};

struct Panel {
  const char* title;
  std::vector<Line> lines;
  Unit unit;
  Rectangle box;
  double high = 1;
};

/// Where a panel's values lie on the paper.
class Frame {
 public:
  Frame(const Panel& panel, const std::vector<DistillPoint>& points)
      : panel_(panel), last_(std::max(1, points.back().epoch)) {}
  [[nodiscard]] int last() const { return last_; }
  [[nodiscard]] double x(double epoch) const {
    return panel_.box.x + panel_.box.width * epoch / last_;
  }
  [[nodiscard]] double y(double value) const {
    return panel_.box.bottom() -
           panel_.box.height * std::clamp(value, 0.0, panel_.high) / panel_.high;
  }

 private:
  const Panel& panel_;
  int last_;
};

void draw_axes(cairo_t* cairo, const Panel& panel, const Frame& frame) {
  const Rectangle& box = panel.box;
  const bool share = panel.unit == Unit::kShare;
  draw_text(cairo, {box.x, box.y - 14}, panel.title, {.size = 11.5, .weight = Weight::kBold});
  cairo_set_line_width(cairo, 1);
  const Ticks levels = round_ticks({.low = 0, .high = panel.high * (share ? 100 : 1)}, 5);
  TextStyle style = kTickStyle;
  style.align = Align::kRight;
  for (const double level : levels.values) {
    const double y = frame.y(share ? level / 100 : level);
    set_colour(cairo, palette::kGrid);
    cairo_move_to(cairo, box.x, y);
    cairo_line_to(cairo, box.right(), y);
    cairo_stroke(cairo);
    draw_text(cairo, {box.x - 7, y + 3.4}, tick_label(levels, level) + (share ? " %" : ""), style);
  }
  const Ticks epochs =
      round_ticks({.low = 0, .high = static_cast<double>(frame.last()), .smallest_step = 1}, 6);
  style.align = Align::kCentre;
  for (const double epoch : epochs.values) {
    draw_text(cairo, {frame.x(epoch), box.bottom() + 16}, tick_label(epochs, epoch), style);
  }
  draw_text(cairo, {box.x + box.width / 2, box.bottom() + 33}, "epoch", style);
}

void draw_line(cairo_t* cairo, const Line& line, const Frame& frame,
               const std::vector<DistillPoint>& points) {
  set_colour(cairo, line.colour);
  cairo_set_line_width(cairo, line.dashed ? 1.6 : 2.2);
  const double dashes[] = {5, 3};
  cairo_set_dash(cairo, dashes, line.dashed ? 2 : 0, 0);
  bool drawing = false;
  for (const DistillPoint& point : points) {
    const double value = point.*line.value;
    if (std::isnan(value)) continue;
    (drawing ? cairo_line_to : cairo_move_to)(cairo, frame.x(point.epoch), frame.y(value));
    drawing = true;
  }
  cairo_stroke(cairo);
  cairo_set_dash(cairo, nullptr, 0, 0);
  if (points.size() > 1) return;
  cairo_arc(cairo, frame.x(points[0].epoch), frame.y(points[0].*line.value), 2.4, 0, 6.2832);
  cairo_fill(cairo);
}

bool is_known(const Line& line, const std::vector<DistillPoint>& points) {
  return std::ranges::any_of(
      points, [&](const DistillPoint& point) { return !std::isnan(point.*line.value); });
}

/// Names with their line in the panel's own legend below its title.
void draw_legend(cairo_t* cairo, const Panel& panel, const std::vector<DistillPoint>& points) {
  double x = panel.box.x;
  for (const Line& line : panel.lines) {
    if (!is_known(line, points)) continue;
    set_colour(cairo, line.colour);
    cairo_set_line_width(cairo, 2);
    const double dashes[] = {5, 3};
    cairo_set_dash(cairo, dashes, line.dashed ? 2 : 0, 0);
    cairo_move_to(cairo, x, 25);
    cairo_rel_line_to(cairo, 20, 0);
    cairo_stroke(cairo);
    cairo_set_dash(cairo, nullptr, 0, 0);
    const TextStyle style{.size = 9.5, .colour = palette::kInk};
    draw_text(cairo, {x + 25, 28.5}, line.name, style);
    x += 25 + text_width(cairo, line.name, style) + 14;
  }
}

void draw_panel(cairo_t* cairo, const Panel& panel, const std::vector<DistillPoint>& points) {
  const Frame frame(panel, points);
  draw_legend(cairo, panel, points);
  draw_axes(cairo, panel, frame);
  for (const Line& line : panel.lines) {
    if (is_known(line, points)) draw_line(cairo, line, frame, points);
  }
}

}  // namespace

Drawing distill_curves(const DistillRecord& record) {
  if (record.points.empty()) {
    return {.width = kWidth, .height = 60, .paint = [](cairo_t* cairo) {
              draw_text(cairo, {kWidth / 2, 34}, "nothing was looked at",
                        {.colour = palette::kMuted, .align = Align::kCentre});
            }};
  }
  const Panel shares{
      .title = "Agreement with the teacher, and probe",
      .lines = {{"views", palette::kVermilion, true, &DistillPoint::agreement},
                {"held out", palette::kBlue, false, &DistillPoint::held_out_agreement},
                {"probe", palette::kMuted, false, &DistillPoint::probe}},
      .unit = Unit::kShare,
      .box = {.x = 56, .y = 70, .width = 300, .height = 192}};
  Panel losses{.title = "Loss",
               .lines = {{"views", palette::kVermilion, true, &DistillPoint::loss},
                         {"held out", palette::kBlue, false, &DistillPoint::held_out_loss}},
               .unit = Unit::kNats,
               .box = {.x = 446, .y = 70, .width = 300, .height = 192}};
  std::vector<double> values;
  for (const DistillPoint& point : record.points) {
    for (const double value : {point.loss, point.held_out_loss}) values.push_back(value);
  }
  losses.high = axis_top(std::move(values));
  return {.width = kWidth,
          .height = kHeight,
          .paint = [shares, losses, points = record.points](cairo_t* cairo) {
            draw_panel(cairo, shares, points);
            draw_panel(cairo, losses, points);
          }};
}

}  // namespace engraft
