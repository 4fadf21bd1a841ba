#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "engraft/report/axis.h"
#include "engraft/report/canvas.h"
#include "engraft/report/drawings.h"
#include "engraft/report/libcairo.h"
#include "engraft/report/text.h"

namespace engraft {
namespace {

constexpr double kWidth = 780;
constexpr double kHeight = 310;
constexpr double kLegendBaseline = 24;
constexpr double kLabelGap = 13;   ///< between the baselines of direct labels
constexpr int kMostWithDots = 15;  ///< epochs up to which each is marked with a dot

constexpr TextStyle kTickStyle{.size = 9.5, .colour = palette::kMuted};

struct Series {
  const char* name;
  Colour colour;
  bool dashed;
  std::vector<double> values;  ///< one an epoch
  [[nodiscard]] bool shown() const {
    return std::any_of(values.begin(), values.end(), [](double v) { return !std::isnan(v); });
  }
};

/// One of the two plots: what to draw, without where.
struct Panel {
  const char* title;
  std::vector<int> epochs;
  std::vector<Series> series;  ///< training, then validation
  std::optional<std::size_t> best;
  std::vector<CurveStage> stages;  ///< after the first
  double low = 0, high = 1;
  bool is_share = false;  ///< written in percent
};

/// Where a panel's values lie on the paper.
struct Frame {
  Rectangle box;
  double first, last;  ///< epochs at the left and right edge
  double low, high;
  [[nodiscard]] double x(double epoch) const {
    return box.x + box.width * (epoch - first) / (last - first);
  }
  [[nodiscard]] double y(double value) const {
    return box.bottom() - box.height * (value - low) / (high - low);
  }
  [[nodiscard]] bool contains(double value) const { return value >= low && value <= high; }
};

Frame frame_of(const Panel& panel, const Rectangle& box) {
  const auto [first, last] = std::minmax_element(panel.epochs.begin(), panel.epochs.end());
  const bool alone = *first == *last;
  return {.box = box,
          .first = *first - (alone ? 1.0 : 0.0),
          .last = *last + (alone ? 1.0 : 0.0),
          .low = panel.low,
          .high = panel.high};
}

void draw_axes(cairo_t* cairo, const Panel& panel, const Frame& frame) {
  const Rectangle& box = frame.box;
  draw_text(cairo, {box.x, box.y - 14}, panel.title, {.size = 11.5, .weight = Weight::kBold});
  cairo_set_line_width(cairo, 1);
  const Ticks levels = round_ticks({.low = panel.low * (panel.is_share ? 100 : 1),
                                    .high = panel.high * (panel.is_share ? 100 : 1)},
                                   5);
  for (const double level : levels.values) {
    const double y = frame.y(panel.is_share ? level / 100 : level);
    set_colour(cairo, palette::kGrid);
    cairo_move_to(cairo, box.x, y);
    cairo_line_to(cairo, box.right(), y);
    cairo_stroke(cairo);
    TextStyle style = kTickStyle;
    style.align = Align::kRight;
    draw_text(cairo, {box.x - 7, y + 3.4}, tick_label(levels, level) + (panel.is_share ? " %" : ""),
              style);
  }
  Ticks epochs = round_ticks({.low = frame.first, .high = frame.last, .smallest_step = 1}, 6);
  if (epochs.values.empty() || epochs.values.front() - frame.first > epochs.step / 2) {
    epochs.values.insert(epochs.values.begin(), frame.first);
  }
  set_colour(cairo, palette::kAxis);
  cairo_move_to(cairo, box.x, box.bottom());
  cairo_line_to(cairo, box.right(), box.bottom());
  cairo_stroke(cairo);
  TextStyle style = kTickStyle;
  style.align = Align::kCentre;
  for (const double epoch : epochs.values) {
    if (panel.epochs.size() == 1 && epoch != panel.epochs.front()) continue;
    set_colour(cairo, palette::kAxis);
    cairo_move_to(cairo, frame.x(epoch), box.bottom());
    cairo_rel_line_to(cairo, 0, 4);
    cairo_stroke(cairo);
    draw_text(cairo, {frame.x(epoch), box.bottom() + 16}, tick_label(epochs, epoch), style);
  }
  draw_text(cairo, {box.x + box.width / 2, box.bottom() + 33}, "epoch", style);
}

void set_line(cairo_t* cairo, const Series& series) {
  set_colour(cairo, series.colour);
  cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(cairo, CAIRO_LINE_CAP_BUTT);
  cairo_set_line_width(cairo, series.dashed ? 1.6 : 2.2);
  const double dashes[] = {5, 3};
  cairo_set_dash(cairo, dashes, series.dashed ? 2 : 0, 0);
}

void dot(cairo_t* cairo, Point at, double radius) {
  cairo_new_sub_path(cairo);
  cairo_arc(cairo, at.x, at.y, radius, 0, 6.2832);
  cairo_fill(cairo);
}

/// The line runs on above the upper edge to values off the scale, and is clipped there.
void draw_line(cairo_t* cairo, const Panel& panel, const Series& series, const Frame& frame) {
  cairo_save(cairo);
  const Rectangle& box = frame.box;
  cairo_rectangle(cairo, box.x - 4, box.y, box.width + 8, box.height + 4);
  cairo_clip(cairo);
  const double ceiling = frame.high + (frame.high - frame.low);
  bool drawing = false;
  for (std::size_t i = 0; i < series.values.size(); ++i) {
    const double value = series.values[i];
    if (std::isnan(value)) {
      drawing = false;
      continue;
    }
    const double y = frame.y(std::clamp(value, frame.low, ceiling));
    (drawing ? cairo_line_to : cairo_move_to)(cairo, frame.x(panel.epochs[i]), y);
    drawing = true;
  }
  set_line(cairo, series);
  cairo_stroke(cairo);
  cairo_restore(cairo);
}

/// Dots where the epochs are few or a point stands alone between gaps, triangles for what lies
/// above the scale.
void draw_points(cairo_t* cairo, const Panel& panel, const Series& series, const Frame& frame) {
  const auto missing = [&](std::size_t i) {
    return i >= series.values.size() || std::isnan(series.values[i]);
  };
  set_colour(cairo, series.colour);
  for (std::size_t i = 0; i < series.values.size(); ++i) {
    if (missing(i)) continue;
    const double x = frame.x(panel.epochs[i]);
    if (series.values[i] > frame.high) {
      cairo_move_to(cairo, x - 4, frame.box.y + 1);
      cairo_rel_line_to(cairo, 8, 0);
      cairo_rel_line_to(cairo, -4, -7);
      cairo_close_path(cairo);
      cairo_fill(cairo);
    } else if (panel.epochs.size() <= kMostWithDots ||
               ((i == 0 || missing(i - 1)) && missing(i + 1))) {
      dot(cairo, {x, frame.y(std::max(series.values[i], frame.low))}, 2.4);
    }
  }
}

std::string value_text(const Panel& panel, double value) {
  return panel.is_share ? percent(value) : fmt::format("{:.3g}", value);
}

/// A line between the last epoch of one stage and the first of the next, with the latter's name.
void draw_stages(cairo_t* cairo, const Panel& panel, const Frame& frame) {
  for (const CurveStage& stage : panel.stages) {
    const double x = frame.x(stage.first_epoch - 0.5);
    cairo_set_line_width(cairo, 1);
    set_colour(cairo, palette::kAxis);
    cairo_move_to(cairo, x, frame.box.y);
    cairo_line_to(cairo, x, frame.box.bottom());
    cairo_stroke(cairo);
    const bool roomy = x - frame.box.x > frame.box.width / 2;
    // Accuracies end near the top, losses near the bottom.
    const double y = panel.is_share ? frame.box.bottom() - 7 : frame.box.y + 11;
    draw_text(
        cairo, {x + (roomy ? -5 : 5), y}, "fine-tuning: " + stage.name,
        {.size = 9.5, .colour = palette::kMuted, .align = roomy ? Align::kRight : Align::kLeft});
  }
}

void draw_best(cairo_t* cairo, const Panel& panel, const Frame& frame) {
  if (!panel.best) return;
  const double x = frame.x(panel.epochs[*panel.best]);
  const double dashes[] = {1.5, 2.5};
  cairo_set_dash(cairo, dashes, 2, 0);
  cairo_set_line_width(cairo, 1);
  set_colour(cairo, palette::kMuted);
  cairo_move_to(cairo, x, frame.box.y);
  cairo_line_to(cairo, x, frame.box.bottom());
  cairo_stroke(cairo);
  cairo_set_dash(cairo, nullptr, 0, 0);

  const Series& series = panel.series.back().shown() ? panel.series.back() : panel.series.front();
  const double value = series.values[*panel.best];
  std::string label = fmt::format("best: epoch {}", panel.epochs[*panel.best]);
  if (!std::isnan(value)) label += ", " + value_text(panel, value);
  draw_text(cairo, {frame.box.right(), frame.box.y - 14}, label,
            {.size = 9.5, .colour = palette::kInk, .align = Align::kRight});
  if (!frame.contains(value)) return;
  set_colour(cairo, palette::kPaper);
  dot(cairo, {x, frame.y(value)}, 6);
  set_colour(cairo, series.colour);
  dot(cairo, {x, frame.y(value)}, 4.5);
}

/// The series' names at their right ends, pushed apart where they would overlap.
void draw_direct_labels(cairo_t* cairo, const Panel& panel, const Frame& frame) {
  struct Label {
    const Series* series;
    double y;
  };
  std::vector<Label> labels;
  for (const Series& series : panel.series) {
    const auto last = std::find_if(series.values.rbegin(), series.values.rend(),
                                   [](double v) { return !std::isnan(v); });
    if (last == series.values.rend()) continue;
    labels.push_back({&series, frame.y(std::clamp(*last, frame.low, frame.high))});
  }
  if (labels.size() == 2 && std::abs(labels[0].y - labels[1].y) < kLabelGap) {
    const double middle = (labels[0].y + labels[1].y) / 2;
    const double down = labels[0].y > labels[1].y ? 0.5 : -0.5;
    labels[0].y = middle + down * kLabelGap;
    labels[1].y = middle - down * kLabelGap;
  }
  for (const Label& label : labels) {
    draw_text(cairo, {frame.box.right() + 9, label.y + 3.4}, label.series->name,
              {.size = 10, .weight = Weight::kBold, .colour = label.series->colour});
  }
}

void draw_panel(cairo_t* cairo, const Panel& panel, const Rectangle& box) {
  const Frame frame = frame_of(panel, box);
  draw_axes(cairo, panel, frame);
  draw_stages(cairo, panel, frame);
  for (const Series& series : panel.series) {
    draw_line(cairo, panel, series, frame);
    draw_points(cairo, panel, series, frame);
  }
  draw_best(cairo, panel, frame);
  draw_direct_labels(cairo, panel, frame);
}

void draw_legend(cairo_t* cairo, const Panel& panel) {
  double x = 56;
  const TextStyle style{.size = 10, .colour = palette::kInk};
  const auto entry = [&](const char* name, double sign_width) {
    x += sign_width + 7;
    draw_text(cairo, {x, kLegendBaseline}, name, style);
    x += text_width(cairo, name, style) + 24;
  };
  for (const Series& series : panel.series) {
    if (!series.shown()) continue;
    set_line(cairo, series);
    cairo_move_to(cairo, x, kLegendBaseline - 3.5);
    cairo_rel_line_to(cairo, 26, 0);
    cairo_stroke(cairo);
    cairo_set_dash(cairo, nullptr, 0, 0);
    entry(series.name, 26);
  }
  if (!panel.best) return;
  set_colour(cairo, panel.series.back().shown() ? panel.series.back().colour
                                                : panel.series.front().colour);
  dot(cairo, {x + 4.5, kLegendBaseline - 3.5}, 4.5);
  entry("best epoch", 9);
}

Panel panel_of(const RunRecord& run, const char* title, float CurvePoint::*training,
               float CurvePoint::*validation) {
  Panel panel{.title = title,
              .epochs = {},
              .series = {{"training", palette::kVermilion, true, {}},
                         {"validation", palette::kBlue, false, {}}},
              .best = {},
              .stages = {}};
  for (std::size_t i = 1; i < run.stages.size(); ++i) panel.stages.push_back(run.stages[i]);
  for (const CurvePoint& point : run.curve) {
    if (point.epoch == run.best_epoch) panel.best = panel.epochs.size();
    panel.epochs.push_back(point.epoch);
    panel.series[0].values.push_back(double{point.*training});
    panel.series[1].values.push_back(double{point.*validation});
  }
  return panel;
}

/// Accuracies from the ten percent below the lowest, so that what happens near the top is seen.
void scale_accuracy(Panel& panel) {
  double lowest = 1;
  for (const Series& series : panel.series) {
    for (const double value : series.values) lowest = value < lowest ? value : lowest;
  }
  panel.low = std::clamp(std::floor(lowest * 10 - 0.2) / 10, 0.0, 0.9);
  panel.high = 1;
  panel.is_share = true;
}

void scale_loss(Panel& panel) {
  std::vector<double> all;
  for (const Series& series : panel.series) {
    all.insert(all.end(), series.values.begin(), series.values.end());
  }
  panel.high = axis_top(std::move(all));
}

}  // namespace

Drawing curves(const RunRecord& run) {
  if (run.curve.empty()) {
    return {.width = kWidth, .height = 60, .paint = [](cairo_t* cairo) {
              draw_text(cairo, {kWidth / 2, 34}, "no training curve",
                        {.colour = palette::kMuted, .align = Align::kCentre});
            }};
  }
  Panel accuracy =
      panel_of(run, "Accuracy", &CurvePoint::train_accuracy, &CurvePoint::val_accuracy);
  Panel loss = panel_of(run, "Loss", &CurvePoint::train_loss, &CurvePoint::val_loss);
  scale_accuracy(accuracy);
  scale_loss(loss);
  return {.width = kWidth, .height = kHeight, .paint = [accuracy, loss](cairo_t* cairo) {
            draw_legend(cairo, accuracy.series.front().shown() || accuracy.series.back().shown()
                                   ? accuracy
                                   : loss);
            draw_panel(cairo, accuracy, {.x = 56, .y = 70, .width = 250, .height = 192});
            draw_panel(cairo, loss, {.x = 446, .y = 70, .width = 250, .height = 192});
          }};
}

}  // namespace engraft
