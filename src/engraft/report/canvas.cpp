#include "engraft/report/canvas.h"

#include <numbers>

#include "engraft/report/libcairo.h"
#include "engraft/report/text.h"

namespace engraft {
namespace {

constexpr std::string_view kEllipsis = "…";
/// More than any drawing has room for; keeps a hostile name of megabytes from being measured.
constexpr std::size_t kLongestText = 300;

void select_font(cairo_t* cairo, const TextStyle& style) {
  cairo_select_font_face(
      cairo, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
      style.weight == Weight::kBold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(cairo, style.size);
  // Without hints a text is as wide in a bitmap as in a vector drawing, at any scale.
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_set_font_options(cairo, options);
  cairo_font_options_destroy(options);
}

std::string drawable(std::string_view text) {
  // At most four bytes a code point: cut first, so that cleaning is bounded too.
  const std::string clean = clean_text(text.substr(0, 4 * kLongestText));
  return std::string(first_code_points(clean, kLongestText));
}

double advance(cairo_t* cairo, const std::string& clean) {
  cairo_text_extents_t extents;
  cairo_text_extents(cairo, clean.c_str(), &extents);
  return extents.x_advance;
}

}  // namespace

Colour mix(const Colour& from, const Colour& to, double t) {
  const auto between = [t](double a, double b) { return a + (b - a) * t; };
  return {.red = between(from.red, to.red),
          .green = between(from.green, to.green),
          .blue = between(from.blue, to.blue),
          .alpha = between(from.alpha, to.alpha)};
}

void set_colour(cairo_t* cairo, const Colour& colour) {
  cairo_set_source_rgba(cairo, colour.red, colour.green, colour.blue, colour.alpha);
}

void rounded_rectangle(cairo_t* cairo, const Rectangle& box, double radius) {
  constexpr double kQuarter = std::numbers::pi / 2;
  cairo_new_sub_path(cairo);
  cairo_arc(cairo, box.right() - radius, box.y + radius, radius, -kQuarter, 0);
  cairo_arc(cairo, box.right() - radius, box.bottom() - radius, radius, 0, kQuarter);
  cairo_arc(cairo, box.x + radius, box.bottom() - radius, radius, kQuarter, 2 * kQuarter);
  cairo_arc(cairo, box.x + radius, box.y + radius, radius, 2 * kQuarter, 3 * kQuarter);
  cairo_close_path(cairo);
}

void draw_text(cairo_t* cairo, Point at, std::string_view text, const TextStyle& style) {
  const std::string clean = drawable(text);
  select_font(cairo, style);
  if (style.align != Align::kLeft) {
    at.x -= advance(cairo, clean) * (style.align == Align::kCentre ? 0.5 : 1.0);
  }
  set_colour(cairo, style.colour);
  cairo_move_to(cairo, at.x, at.y);
  cairo_show_text(cairo, clean.c_str());
  cairo_new_path(cairo);
}

double text_width(cairo_t* cairo, std::string_view text, const TextStyle& style) {
  select_font(cairo, style);
  return advance(cairo, drawable(text));
}

std::string fit_text(cairo_t* cairo, std::string_view text, const TextStyle& style, double width) {
  const std::string clean = drawable(text);
  select_font(cairo, style);
  if (advance(cairo, clean) <= width) return clean;
  std::size_t fits = 0;
  std::size_t too_long = count_code_points(clean);
  while (fits + 1 < too_long) {
    const std::size_t middle = (fits + too_long) / 2;
    const std::string cut = std::string(first_code_points(clean, middle)) + std::string(kEllipsis);
    (advance(cairo, cut) <= width ? fits : too_long) = middle;
  }
  return std::string(first_code_points(clean, fits)) + std::string(kEllipsis);
}

ScratchContext::ScratchContext() {
  cairo_surface_t* surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
  cairo_.reset(cairo_create(surface));
  cairo_surface_destroy(surface);
}

void ScratchContext::Destroy::operator()(cairo_t* cairo) const {
  cairo_destroy(cairo);
}

}  // namespace engraft
