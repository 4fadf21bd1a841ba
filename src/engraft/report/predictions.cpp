#include <algorithm>
#include <cmath>

#include "engraft/image/resize.h"
#include "engraft/report/canvas.h"
#include "engraft/report/drawings.h"
#include "engraft/report/libcairo.h"
#include "engraft/report/photograph.h"
#include "engraft/report/text.h"

namespace engraft {
namespace {

constexpr std::size_t kMostShown = 20;
constexpr std::size_t kColumns = 5;
constexpr double kCardWidth = 168;
constexpr double kThumbWidth = 156;
constexpr double kThumbHeight = 117;
constexpr double kCardHeight = kThumbHeight + 62;
constexpr double kCardInset = (kCardWidth - kThumbWidth) / 2;
constexpr double kMargin = 10;
constexpr double kRadius = 7;
constexpr int kThumbPixelsPerPoint = 2;

struct Card {
  Photograph thumbnail;  ///< null: there is no picture
  std::string name, true_label, predicted_label;
  double probability = 0;
  bool right = true;
};

/// The middle of the picture in the thumbnail's shape, at most as large as it will be shown.
Image thumbnail_of(const Image& picture) {
  constexpr double kAspect = kThumbWidth / kThumbHeight;
  Box box{.width = picture.width, .height = picture.height};
  if (picture.width > picture.height * kAspect) {
    box.width = std::max(1, static_cast<int>(picture.height * kAspect));
    box.left = (picture.width - box.width) / 2;
  } else {
    box.height = std::max(1, static_cast<int>(picture.width / kAspect));
    box.top = (picture.height - box.height) / 2;
  }
  const Image part = crop(picture, box);
  constexpr Size kLargest{.width = static_cast<int>(kThumbWidth) * kThumbPixelsPerPoint,
                          .height = static_cast<int>(kThumbHeight) * kThumbPixelsPerPoint};
  if (part.width <= kLargest.width) return part;
  return resize(part, kLargest, Interpolation::kBilinearAntialiased);
}

Card card_of(const ShownPrediction& shown) {
  Card card{.thumbnail = {},
            .name = shown.name,
            .true_label = shown.true_label,
            .predicted_label = shown.predicted_label,
            .probability = double{shown.probability},
            .right = shown.right()};
  if (shown.picture.width > 0 && shown.picture.height > 0) {
    card.thumbnail = photograph(thumbnail_of(shown.picture));
  }
  return card;
}

void draw_frame(cairo_t* cairo, const Rectangle& box, bool right) {
  const double line = right ? 0.8 : 3.5;
  const double inset = right ? line / 2 : -line / 2 + 1;
  rounded_rectangle(cairo,
                    {.x = box.x + inset,
                     .y = box.y + inset,
                     .width = box.width - 2 * inset,
                     .height = box.height - 2 * inset},
                    kRadius - inset);
  cairo_set_line_width(cairo, line);
  set_colour(cairo, right ? hex(0x000000, 0.18) : palette::kWrong);
  cairo_stroke(cairo);
}

/// A white cross on a red disc: a shape, for those who cannot tell red.
void draw_cross(cairo_t* cairo, Point centre) {
  constexpr double kRadiusOut = 11;
  constexpr double kArm = 4.2;
  set_colour(cairo, palette::kPaper);
  cairo_arc(cairo, centre.x, centre.y, kRadiusOut + 1.5, 0, 6.2832);
  cairo_fill(cairo);
  set_colour(cairo, palette::kWrong);
  cairo_arc(cairo, centre.x, centre.y, kRadiusOut, 0, 6.2832);
  cairo_fill(cairo);
  set_colour(cairo, palette::kPaper);
  cairo_set_line_width(cairo, 2.6);
  cairo_set_line_cap(cairo, CAIRO_LINE_CAP_ROUND);
  for (const double arm : {kArm, -kArm}) {
    cairo_move_to(cairo, centre.x - arm, centre.y - kArm);
    cairo_line_to(cairo, centre.x + arm, centre.y + kArm);
  }
  cairo_stroke(cairo);
}

void draw_caption(cairo_t* cairo, const Card& card, const Rectangle& thumb) {
  TextStyle label{.size = 10.5, .weight = Weight::kBold};
  if (!card.right) label.colour = palette::kWrong;
  TextStyle number{.size = 10, .colour = palette::kMuted, .align = Align::kRight};
  const std::string probability = percent(card.probability, 0);
  const double number_width = text_width(cairo, probability, number);
  double y = thumb.bottom() + 18;
  draw_text(cairo, {thumb.x + 2, y},
            fit_text(cairo, card.predicted_label, label, thumb.width - number_width - 12), label);
  draw_text(cairo, {thumb.right() - 2, y}, probability, number);
  y += 15;
  const TextStyle quiet{.size = 9, .colour = palette::kMuted};
  const TextStyle loud{.size = 9, .weight = Weight::kBold};
  const char* const before = "true: ";
  const double before_width = text_width(cairo, before, quiet);
  draw_text(cairo, {thumb.x + 2, y}, before, quiet);
  const TextStyle& style = card.right ? quiet : loud;
  draw_text(cairo, {thumb.x + 2 + before_width, y},
            fit_text(cairo, card.true_label, style, thumb.width - before_width - 4), style);
  const TextStyle file{.size = 7.5, .colour = palette::kAxis};
  draw_text(cairo, {thumb.x + 2, y + 13}, fit_text(cairo, card.name, file, thumb.width - 4), file);
}

void draw_card(cairo_t* cairo, const Card& card, Point at) {
  const Rectangle thumb{
      .x = at.x + kCardInset, .y = at.y + kCardInset, .width = kThumbWidth, .height = kThumbHeight};
  draw_photograph(cairo, card.thumbnail, thumb, kRadius);
  draw_frame(cairo, thumb, card.right);
  if (!card.right) draw_cross(cairo, {thumb.right() - 16, thumb.y + 16});
  draw_caption(cairo, card, thumb);
}

}  // namespace

Drawing prediction_card(const ShownPrediction& prediction) {
  return {.width = kCardWidth,
          .height = kCardHeight,
          .paint = [card = card_of(prediction)](cairo_t* cairo) { draw_card(cairo, card, {}); }};
}

Drawing predictions(const RunRecord& run) {
  const std::size_t count = std::min(run.predictions.size(), kMostShown);
  if (count == 0) {
    return {.width = 420, .height = 60, .paint = [](cairo_t* cairo) {
              draw_text(cairo, {210, 34}, "no pictures to show",
                        {.colour = palette::kMuted, .align = Align::kCentre});
            }};
  }
  std::vector<Card> cards;
  for (std::size_t i = 0; i < count; ++i) cards.push_back(card_of(run.predictions[i]));
  const std::size_t columns = std::min(count, kColumns);
  const std::size_t rows = (count + kColumns - 1) / kColumns;
  return {.width = 2 * kMargin + static_cast<double>(columns) * kCardWidth,
          .height = 2 * kMargin + static_cast<double>(rows) * kCardHeight,
          .paint = [cards = std::move(cards), columns](cairo_t* cairo) {
            for (std::size_t i = 0; i < cards.size(); ++i) {
              draw_card(cairo, cards[i],
                        {.x = kMargin + static_cast<double>(i % columns) * kCardWidth,
                         .y = kMargin + static_cast<double>(i / columns) * kCardHeight});
            }
          }};
}

}  // namespace engraft
