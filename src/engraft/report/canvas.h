#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

typedef struct _cairo cairo_t;  // NOLINT: as cairo.h declares it

namespace engraft {

/// sRGB and opacity, each in [0, 1].
struct Colour {
  double red = 0, green = 0, blue = 0, alpha = 1;
};

/// From 0xRRGGBB.
[[nodiscard]] constexpr Colour hex(std::uint32_t rgb, double alpha = 1) {
  return {.red = (rgb >> 16 & 0xFF) / 255.0,
          .green = (rgb >> 8 & 0xFF) / 255.0,
          .blue = (rgb & 0xFF) / 255.0,
          .alpha = alpha};
}

/// t = 0: from, t = 1: to.
[[nodiscard]] Colour mix(const Colour& from, const Colour& to, double t);

/// The colours of all drawings. Blue and vermilion are of the Okabe-Ito palette, which colour-blind
/// people can tell apart; they differ in lightness as well, so that they survive a grey print.
/// Source: Okabe and Ito 2008, "Color Universal Design".
namespace palette {
inline constexpr Colour kPaper = hex(0xFFFFFF);
inline constexpr Colour kInk = hex(0x1F2328);
inline constexpr Colour kMuted = hex(0x667079);
inline constexpr Colour kGrid = hex(0xE3E6EA);
inline constexpr Colour kAxis = hex(0x9AA3AB);
inline constexpr Colour kBlue = hex(0x0072B2);
inline constexpr Colour kVermilion = hex(0xD55E00);
inline constexpr Colour kWrong = hex(0xC8102E);
}  // namespace palette

enum class Weight { kNormal, kBold };
enum class Align { kLeft, kCentre, kRight };

struct TextStyle {
  double size = 10;  ///< points
  Weight weight = Weight::kNormal;
  Colour colour = palette::kInk;
  Align align = Align::kLeft;
};

struct Point {
  double x = 0, y = 0;
};

struct Rectangle {
  double x = 0, y = 0, width = 0, height = 0;
  [[nodiscard]] double right() const { return x + width; }
  [[nodiscard]] double bottom() const { return y + height; }
};

void set_colour(cairo_t* cairo, const Colour& colour);

/// Adds a closed path with round corners.
void rounded_rectangle(cairo_t* cairo, const Rectangle& box, double radius);

/// All text below goes through clean_text first. The font is DejaVu Sans, or what Fontconfig puts
/// in its place. Point is the baseline's left end, middle or right end, as style.align says.
void draw_text(cairo_t* cairo, Point at, std::string_view text, const TextStyle& style);
[[nodiscard]] double text_width(cairo_t* cairo, std::string_view text, const TextStyle& style);

/// The text, or as much of its beginning as fits into width, with an ellipsis.
[[nodiscard]] std::string fit_text(cairo_t* cairo, std::string_view text, const TextStyle& style,
                                   double width);

/// A context that paints nowhere: for measuring text before there is a surface.
class ScratchContext {
 public:
  ScratchContext();
  [[nodiscard]] cairo_t* get() const { return cairo_.get(); }

 private:
  struct Destroy {
    void operator()(cairo_t* cairo) const;
  };
  std::unique_ptr<cairo_t, Destroy> cairo_;
};

}  // namespace engraft
