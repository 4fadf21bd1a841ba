#include "engraft/report/rate_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "engraft/report/axis.h"
#include "engraft/report/canvas.h"
#include "engraft/report/libcairo.h"
#include "engraft/report/text.h"

namespace engraft {
namespace {

constexpr double kWidth = 780;
constexpr double kHeight = 440;
constexpr Rectangle kBox{.x = 62, .y = 96, .width = 690, .height = 284};

/// The fall of the smoothed loss, from where it begins to its lowest, has this share of the height.
constexpr double kFallShare = 0.5;
/// A fall by a smaller share of the loss gets no more height than this one.
constexpr double kSmallestFall = 0.04;
/// Rates behind the one at which the line leaves the scale: times this.
constexpr double kBehind = 1.6;

constexpr const char* kLossCaption = "loss, as on an average batch";
constexpr double kMarkGap = 15;  ///< between the baselines of labels that would overlap

constexpr TextStyle kTickStyle{.size = 9.5, .colour = palette::kMuted};

/// Where rates and losses lie on the paper.
struct Frame {
  double first = -1, last = 0;  ///< log₁₀ of the rates at the left and right edge
  double low = 0, high = 1;     ///< losses at the lower and upper edge
  [[nodiscard]] double x(double rate) const {
    return kBox.x + kBox.width * (std::log10(rate) - first) / (last - first);
  }
  [[nodiscard]] double y(double loss) const {
    return kBox.bottom() - kBox.height * (loss - low) / (high - low);
  }
  [[nodiscard]] bool contains(double loss) const { return loss >= low && loss <= high; }
};

/// Far beyond any rate or loss, and far from overflow.
constexpr double kLargest = 1e30;

bool drawable(const RateCurvePoint& point) {
  return point.rate > 1 / kLargest && point.rate < kLargest && std::abs(point.loss) < kLargest &&
         std::abs(point.smoothed) < kLargest;
}

/// The edges lie around the fall of the smoothed loss, two thirds of what is left above it: there
/// the rise begins.
void scale_losses(Frame& frame, std::span<const RateCurvePoint> points) {
  const double begin = points.front().smoothed;
  double lowest = begin;
  for (const RateCurvePoint& point : points) lowest = std::min(lowest, point.smoothed);
  const double size = std::max(std::abs(begin), 1e-6);
  const double height = std::max(begin - lowest, kSmallestFall * size) / kFallShare;
  const double middle = (begin + lowest) / 2;
  frame.low = middle - height * 0.4;
  frame.high = middle + height * 0.6;
  if (begin >= 0 && lowest >= 0 && frame.low < 0) frame.low = 0;
}

/// Where the line has left the scale for good there is nothing to see.
double last_rate(std::span<const RateCurvePoint> points, double high) {
  auto end = points.end();
  while (end != points.begin() && std::prev(end)->smoothed > high) --end;
  const double last = points.back().rate;
  return end == points.begin() || end == points.end() ? last : std::min(last, kBehind * end->rate);
}

Frame frame_of(std::span<const RateCurvePoint> points) {
  Frame frame;
  scale_losses(frame, points);
  frame.first = std::log10(points.front().rate);
  frame.last = std::log10(last_rate(points, frame.high));
  if (frame.last - frame.first < 1e-6) {  // a single rate
    frame.first -= 0.5;
    frame.last += 0.5;
  }
  const double margin = 0.015 * (frame.last - frame.first);
  frame.first -= margin;
  frame.last += margin;
  return frame;
}

/// "1e-4", as one would type it; "1" for 1e0.
std::string power_label(int power) {
  return power == 0 ? "1" : power == 1 ? "10" : fmt::format("1e{}", power);
}

void draw_loss_axis(cairo_t* cairo, const Frame& frame) {
  cairo_set_line_width(cairo, 1);
  const Ticks levels = round_ticks({.low = frame.low, .high = frame.high}, 6);
  TextStyle style = kTickStyle;
  style.align = Align::kRight;
  for (const double level : levels.values) {
    set_colour(cairo, palette::kGrid);
    cairo_move_to(cairo, kBox.x, frame.y(level));
    cairo_line_to(cairo, kBox.right(), frame.y(level));
    cairo_stroke(cairo);
    draw_text(cairo, {kBox.x - 7, frame.y(level) + 3.4}, tick_label(levels, level), style);
  }
  draw_text(cairo, {kBox.x, kBox.y - 12}, kLossCaption, kTickStyle);
}

/// A labelled line each power of ten, a short tick at 2, 3, … 9 of them.
void draw_rate_axis(cairo_t* cairo, const Frame& frame) {
  TextStyle style = kTickStyle;
  style.align = Align::kCentre;
  const LogRange range{.low = std::pow(10.0, frame.first), .high = std::pow(10.0, frame.last)};
  for (const LogTick& tick : log_ticks(range, 12)) {
    const double x = frame.x(tick.value);
    if (tick.digit == 1) {
      set_colour(cairo, palette::kGrid);
      cairo_move_to(cairo, x, kBox.y);
      cairo_line_to(cairo, x, kBox.bottom());
      cairo_stroke(cairo);
    }
    set_colour(cairo, palette::kAxis);
    cairo_move_to(cairo, x, kBox.bottom());
    cairo_rel_line_to(cairo, 0, tick.digit == 1 ? 5 : 3);
    cairo_stroke(cairo);
    if (tick.labelled) {
      draw_text(cairo, {x, kBox.bottom() + 17}, power_label(tick.power), style);
    }
  }
  set_colour(cairo, palette::kAxis);
  cairo_move_to(cairo, kBox.x, kBox.bottom());
  cairo_line_to(cairo, kBox.right(), kBox.bottom());
  cairo_stroke(cairo);
  draw_text(cairo, {kBox.x + kBox.width / 2, kBox.bottom() + 36}, "learning rate", style);
}

void disc(cairo_t* cairo, Point at, double radius) {
  cairo_new_sub_path(cairo);
  cairo_arc(cairo, at.x, at.y, radius, 0, 6.2832);
  cairo_fill(cairo);
}

constexpr Colour kDotColour = hex(0x0072B2, 0.3);
constexpr double kDotRadius = 2.2;

void draw_dots(cairo_t* cairo, const Frame& frame, std::span<const RateCurvePoint> points) {
  set_colour(cairo, kDotColour);
  for (const RateCurvePoint& point : points) {
    if (!frame.contains(point.loss) || frame.x(point.rate) > kBox.right()) continue;
    disc(cairo, {frame.x(point.rate), frame.y(point.loss)}, kDotRadius);
  }
}

void set_line(cairo_t* cairo) {
  set_colour(cairo, palette::kBlue);
  cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(cairo, CAIRO_LINE_CAP_ROUND);
  cairo_set_line_width(cairo, 2.4);
}

void draw_line(cairo_t* cairo, const Frame& frame, std::span<const RateCurvePoint> points) {
  cairo_save(cairo);
  cairo_rectangle(cairo, kBox.x, kBox.y, kBox.width, kBox.height + 2);
  cairo_clip(cairo);
  for (const RateCurvePoint& point : points) {
    const double shown = std::min(point.smoothed, frame.high + 3 * (frame.high - frame.low));
    cairo_line_to(cairo, frame.x(point.rate), frame.y(shown));
  }
  set_line(cairo);
  cairo_stroke(cairo);
  cairo_restore(cairo);
}

/// The smoothed loss at a rate: between two points, along the straight line that is drawn.
std::optional<double> smoothed_at(std::span<const RateCurvePoint> points, double rate) {
  if (!(rate >= points.front().rate && rate <= points.back().rate)) return std::nullopt;
  const auto after = std::ranges::lower_bound(points, rate, {}, &RateCurvePoint::rate);
  if (after == points.begin() || after->rate == rate) return after->smoothed;
  const RateCurvePoint& before = *std::prev(after);
  const double share = std::log(rate / before.rate) / std::log(after->rate / before.rate);
  return before.smoothed + share * (after->smoothed - before.smoothed);
}

/// A mark's place, and its label's: above the box, so that no curve runs through it.
struct PlacedMark {
  RateMark mark;
  Point at;
  double label_x = 0, label_baseline = 0;
};

TextStyle style_of(const RateMark& mark) {
  const bool suggestion = mark.kind == RateMark::Kind::kSuggestion;
  return {.size = suggestion ? 11.0 : 9.5,
          .weight = suggestion ? Weight::kBold : Weight::kNormal,
          .colour = suggestion ? palette::kVermilion : palette::kInk,
          .align = Align::kCentre};
}

/// Labels stand over their marks, inside the drawing; one that would touch an earlier one goes a
/// line higher.
std::vector<PlacedMark> place_marks(cairo_t* cairo, const Frame& frame, const RateCurve& curve) {
  std::vector<PlacedMark> placed;
  std::vector<Rectangle> taken{
      {.x = kBox.x, .y = 0, .width = text_width(cairo, kLossCaption, kTickStyle), .height = 0}};
  for (const RateMark& mark : curve.marks) {
    const auto loss = smoothed_at(curve.points, mark.rate);
    if (!loss || frame.x(mark.rate) > kBox.right()) continue;
    const double width = text_width(cairo, mark.label, style_of(mark));
    const double x = frame.x(mark.rate);
    PlacedMark place{.mark = mark,
                     .at = {x, frame.y(std::min(*loss, frame.high))},
                     .label_x = std::clamp(x, kBox.x + width / 2, kBox.right() - width / 2),
                     .label_baseline = kBox.y - 12};
    const double left = place.label_x - width / 2 - 6, right = place.label_x + width / 2 + 6;
    double row = 0;
    const auto touches = [&](const Rectangle& other) {
      return other.y == row && left < other.right() && other.x < right;
    };
    while (std::ranges::any_of(taken, touches)) ++row;
    taken.push_back({.x = left, .y = row, .width = right - left, .height = 0});
    place.label_baseline -= row * kMarkGap;
    placed.push_back(std::move(place));
  }
  return placed;
}

void draw_mark(cairo_t* cairo, const PlacedMark& place) {
  const bool suggestion = place.mark.kind == RateMark::Kind::kSuggestion;
  const Colour colour = suggestion ? palette::kVermilion : palette::kMuted;
  const double dashes[] = {2, 2.5};
  cairo_set_dash(cairo, dashes, 2, 0);
  cairo_set_line_width(cairo, suggestion ? 1.4 : 1);
  set_colour(cairo, colour);
  cairo_move_to(cairo, place.at.x, place.label_baseline + 4);
  cairo_line_to(cairo, place.at.x, kBox.bottom());
  cairo_stroke(cairo);
  cairo_set_dash(cairo, nullptr, 0, 0);
  const double radius = suggestion ? 5.5 : 4.5;
  set_colour(cairo, palette::kPaper);
  disc(cairo, place.at, radius + 1.5);
  set_colour(cairo, colour);
  disc(cairo, place.at, radius);
  if (!suggestion) {
    set_colour(cairo, palette::kPaper);
    disc(cairo, place.at, radius - 1.8);
  }
  draw_text(cairo, {place.label_x, place.label_baseline}, place.mark.label, style_of(place.mark));
}

void draw_legend(cairo_t* cairo) {
  const TextStyle style{.size = 10, .colour = palette::kInk, .align = Align::kRight};
  const double y = kHeight - 24;
  double x = kBox.right();
  draw_text(cairo, {x, y}, "smoothed", style);
  x -= text_width(cairo, "smoothed", style) + 8;
  set_line(cairo);
  cairo_move_to(cairo, x - 24, y - 3.5);
  cairo_line_to(cairo, x, y - 3.5);
  cairo_stroke(cairo);
  x -= 24 + 18;
  draw_text(cairo, {x, y}, "a batch", style);
  x -= text_width(cairo, "a batch", style) + 8;
  set_colour(cairo, kDotColour);
  disc(cairo, {x - kDotRadius, y - 3.5}, kDotRadius);
}

void draw_heading(cairo_t* cairo, const RateCurve& curve) {
  const TextStyle title{.size = 12.5, .weight = Weight::kBold};
  draw_text(cairo, {kBox.x, 28}, fit_text(cairo, curve.title, title, kBox.width), title);
  if (curve.remark.empty()) return;
  const TextStyle remark{.size = 10, .colour = palette::kMuted};
  draw_text(cairo, {kBox.x, 45}, fit_text(cairo, curve.remark, remark, kBox.width), remark);
}

void draw_verdict(cairo_t* cairo, const std::string& verdict) {
  const TextStyle style{
      .size = 11, .weight = Weight::kBold, .colour = palette::kMuted, .align = Align::kRight};
  draw_text(cairo, {kBox.right(), kBox.y - 12}, fit_text(cairo, verdict, style, kBox.width - 180),
            style);
}

void paint(cairo_t* cairo, const RateCurve& curve) {
  const Frame frame = frame_of(curve.points);
  draw_heading(cairo, curve);
  draw_loss_axis(cairo, frame);
  draw_rate_axis(cairo, frame);
  draw_dots(cairo, frame, curve.points);
  draw_line(cairo, frame, curve.points);
  for (const PlacedMark& place : place_marks(cairo, frame, curve)) draw_mark(cairo, place);
  if (!curve.verdict.empty()) draw_verdict(cairo, curve.verdict);
  draw_legend(cairo);
}

}  // namespace

Drawing rate_curve(const RateCurve& curve) {
  RateCurve shown = curve;
  std::erase_if(shown.points, [](const RateCurvePoint& point) { return !drawable(point); });
  if (shown.points.empty()) {
    return {.width = kWidth, .height = 60, .paint = [](cairo_t* cairo) {
              draw_text(cairo, {kWidth / 2, 34}, "no step with a finite loss",
                        {.colour = palette::kMuted, .align = Align::kCentre});
            }};
  }
  return {.width = kWidth, .height = kHeight, .paint = [shown = std::move(shown)](cairo_t* cairo) {
            paint(cairo, shown);
          }};
}

}  // namespace engraft
