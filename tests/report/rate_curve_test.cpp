#include "engraft/report/rate_curve.h"

#include <gmock/gmock.h>

#include <cmath>

#include "markup.h"
#include "sample_record.h"

namespace engraft::rate_curve_test {

using namespace test;

/// 1e-7 … 1: flat, then a fall to half at 1e-3, then a steep rise.
RateCurve sample_curve() {
  RateCurve curve;
  curve.title = "Loss by learning rate";
  curve.remark = "400 pictures";
  for (int i = 0; i < 100; ++i) {
    const double x = -7 + 7 * i / 99.0;
    const double fall = x < -5 ? 0 : x < -3 ? 0.1 * (x + 5) : 0.2 - 2 * (x + 3);
    curve.points.push_back({.rate = std::pow(10.0, x),
                            .loss = 0.4 - fall + 0.02 * std::sin(40 * x),
                            .smoothed = 0.4 - fall});
  }
  return curve;
}

RateMark suggestion_at(double rate) {
  return {.rate = rate, .label = "suggestion", .kind = RateMark::Kind::kSuggestion};
}

/// The first row of the image with a pixel of that colour; its height if there is none.
int first_row(const Image& image, std::uint32_t colour) {
  for (int y = 0; y < image.height; ++y) {
    Image row(image.width, 1);
    const auto begin = image.pixels.begin() + std::ptrdiff_t{3} * y * image.width;
    std::copy_n(begin, row.pixels.size(), row.pixels.begin());
    if (count_pixels(row, colour) > 0) return y;
  }
  return image.height;
}

TEST(RateCurve, DrawsALineAndDots) {
  RateCurve curve = sample_curve();
  const Image image = painted(rate_curve(curve));
  EXPECT_GT(count_pixels(image, kBlue), 400);
  EXPECT_EQ(count_pixels(image, kVermilion), 0);
  for (RateCurvePoint& point : curve.points) point.loss = -1;  // off the scale
  EXPECT_LT(count_pixels(image, 0xFFFFFF),
            count_pixels(painted(rate_curve(curve)), 0xFFFFFF) - 200);
}

TEST(RateCurve, MarksTheSuggestion) {
  RateCurve curve = sample_curve();
  curve.marks = {suggestion_at(1e-4)};
  EXPECT_GT(count_pixels(painted(rate_curve(curve)), kVermilion), 150);
}

TEST(RateCurve, KeepsLabelsApart) {
  RateCurve curve = sample_curve();
  const RateMark near{.rate = 1.1e-4, .label = "falls fastest"};
  const RateMark far{.rate = 1e-6, .label = "falls fastest"};
  curve.marks = {far, suggestion_at(1e-4)};
  const int alone = first_row(painted(rate_curve(curve)), kVermilion);
  curve.marks = {near, suggestion_at(1e-4)};
  const int crowded = first_row(painted(rate_curve(curve)), kVermilion);
  EXPECT_LE(crowded, alone - 12);
}

TEST(RateCurve, LeavesOutMarksThatLieOutside) {
  RateCurve curve = sample_curve();
  const Bytes without = to_png(rate_curve(curve));
  for (const double rate : {1e-9, 10.0, 0.9, 0.0, -1.0, double{kNan}, double{kInfinity}}) {
    curve.marks = {suggestion_at(rate)};
    EXPECT_TRUE(to_png(rate_curve(curve)) == without) << rate;
  }
}

TEST(RateCurve, EndsWhereTheRiseHasLeftTheScale) {
  RateCurve curve = sample_curve();
  const Bytes whole = to_png(rate_curve(curve));
  std::erase_if(curve.points, [](const RateCurvePoint& point) { return point.rate > 0.1; });
  EXPECT_TRUE(to_png(rate_curve(curve)) == whole);
}

TEST(RateCurve, ShowsASmallFallAsLargeAsALargeOne) {
  const auto with_fall = [](double share) {
    RateCurve curve = sample_curve();
    for (RateCurvePoint& point : curve.points) {
      point.smoothed = 10 - share * (0.4 - point.smoothed);
      point.loss = -1;
    }
    return count_pixels(painted(rate_curve(curve)), kBlue);
  };
  EXPECT_NEAR(with_fall(5), with_fall(25), 0.1 * with_fall(25));
}

TEST(RateCurve, LeavesOutWhatIsNoNumber) {
  RateCurve curve = sample_curve();
  const Bytes clean = to_png(rate_curve(curve));
  const auto insert = [&](const RateCurvePoint& point) {
    curve.points.insert(curve.points.begin() + 50, point);
  };
  for (const double broken : {double{kNan}, double{kInfinity}, -double{kInfinity}, 1e300}) {
    insert({.rate = broken, .loss = 1, .smoothed = 1});
    insert({.rate = 1e-4, .loss = broken, .smoothed = 1});
    insert({.rate = 1e-4, .loss = 1, .smoothed = broken});
  }
  insert({.rate = 0, .loss = 1, .smoothed = 1});
  insert({.rate = -1, .loss = 1, .smoothed = 1});
  EXPECT_TRUE(to_png(rate_curve(curve)) == clean);
}

TEST(RateCurve, TakesFewPointsAndOddOnes) {
  for (const double loss : {0.0, 1e-12, 1.0, -3.0, 1e25}) {
    RateCurve curve;
    EXPECT_LT(count_pixels(painted(rate_curve(curve)), 0xFFFFFF), 780 * 60);  // it says so
    curve.points = {{.rate = 1e-3, .loss = loss, .smoothed = loss}};
    curve.marks = {suggestion_at(1e-3)};
    EXPECT_GT(count_pixels(painted(rate_curve(curve)), kVermilion), 50) << loss;
    curve.points.push_back({.rate = 1e-3, .loss = loss, .smoothed = loss});
    curve.points.push_back({.rate = 1e25, .loss = loss, .smoothed = loss});
    EXPECT_NO_THROW(static_cast<void>(to_png(rate_curve(curve), 1)));
  }
}

TEST(RateCurve, SaysWhyThereIsNoSuggestion) {
  RateCurve curve = sample_curve();
  const int without = count_pixels(painted(rate_curve(curve)), 0x667079);
  curve.verdict = "no suggestion";
  EXPECT_GT(count_pixels(painted(rate_curve(curve)), 0x667079), without + 50);
}

TEST(RateCurve, SvgIsWellFormedAndTakesHostileText) {
  RateCurve curve = sample_curve();
  curve.title = curve.remark = curve.verdict = kHostile;
  curve.marks = {suggestion_at(1e-4)};
  curve.marks[0].label = kHostile;
  EXPECT_EQ(read_markup(to_svg(rate_curve(curve))).error, "");
  curve.title = curve.remark = curve.verdict = curve.marks[0].label = std::string(10'000, 'W');
  EXPECT_NO_THROW(static_cast<void>(to_png(rate_curve(curve), 1)));
}

TEST(RateCurve, SameCurveGivesTheSameBytesAndOutlivesIt) {
  Drawing drawing;
  {
    const RateCurve curve = sample_curve();
    drawing = rate_curve(curve);
    EXPECT_TRUE(to_png(drawing) == to_png(rate_curve(curve)));
  }
  EXPECT_GT(count_pixels(painted(drawing), kBlue), 400);
}

}  // namespace engraft::rate_curve_test
