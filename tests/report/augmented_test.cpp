#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engraft/report/drawings.h"
#include "markup.h"
#include "sample_record.h"

namespace engraft::test::augmented_test {

constexpr std::uint32_t kOriginal = 0x20A040, kView = 0xA020C0;

Image picture_of(std::uint32_t rgb, int width = 224, int height = 224) {
  Image image(width, height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(rgb >> (16 - 8 * (i % 3)));
  }
  return image;
}

AugmentedSheet sheet_of(std::size_t rows, std::size_t views) {
  AugmentedSheet sheet{.title = "What the network saw", .summary = "crops, mirrored", .rows = {}};
  for (std::size_t r = 0; r < rows; ++r) {
    sheet.rows.push_back({.original = picture_of(kOriginal), .label = "daisy", .views = {}});
    sheet.rows.back().views.assign(views, {.picture = picture_of(kView), .note = "30 % roses"});
  }
  return sheet;
}

/// Pixels of one picture at one pixel a point, with its round corners and its frame.
constexpr int kThumbPixels = 112 * 112, kEdge = 500;

TEST(Augmented, ShowsEveryOriginalAndEveryView) {
  for (const std::size_t rows : {1u, 3u, 10u}) {
    for (const std::size_t views : {1u, 2u, 8u}) {
      const Image image = painted(augmented(sheet_of(rows, views)), 1);
      const int originals = static_cast<int>(rows), all_views = static_cast<int>(rows * views);
      EXPECT_NEAR(count_pixels(image, kOriginal), originals * (kThumbPixels - kEdge / 2),
                  originals * kEdge);
      EXPECT_NEAR(count_pixels(image, kView), all_views * (kThumbPixels - kEdge / 2),
                  all_views * kEdge);
    }
  }
}

TEST(Augmented, ShowsTenRowsOfEightViewsAtMost) {
  const Bytes most = to_png(augmented(sheet_of(10, 8)), 1);
  EXPECT_EQ(to_png(augmented(sheet_of(40, 30)), 1), most);
  EXPECT_NE(to_png(augmented(sheet_of(9, 8)), 1), most);
}

TEST(Augmented, OriginalsAreAtTheLeft) {
  const Image image = painted(augmented(sheet_of(2, 3)), 1);
  int last_original = 0, first_view = image.width;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      Image pixel(1, 1);
      std::copy_n(image.row(y) + 3 * x, 3, pixel.row(0));
      if (count_pixels(pixel, kOriginal) == 1) last_original = std::max(last_original, x);
      if (count_pixels(pixel, kView) == 1) first_view = std::min(first_view, x);
    }
  }
  EXPECT_LT(last_original + 10, first_view);
}

TEST(Augmented, APictureOfTheUsualSizeIsShownPixelByPixel) {
  Image fine(224, 224);  // single white columns: gone at any other scale
  for (int y = 0; y < 224; ++y) {
    for (int x = 0; x < 224; x += 2) std::fill_n(fine.row(y) + 3 * x, 3, std::uint8_t{255});
  }
  AugmentedSheet sheet = sheet_of(1, 0);
  sheet.rows[0].original = fine;
  const Image image = painted(augmented(sheet), 2);
  EXPECT_GT(count_pixels(image, 0x000000), 112 * 224 - 1000);
}

TEST(Augmented, FollowsTheShapeOfTheInput) {
  AugmentedSheet sheet = sheet_of(1, 2);
  const Drawing square = augmented(sheet);
  sheet.rows[0].original = picture_of(kOriginal, 200, 100);
  EXPECT_EQ(augmented(sheet).height, square.height - 56);
  sheet.rows[0].original = picture_of(kOriginal, 100, 200);
  EXPECT_EQ(augmented(sheet).height, square.height + 112);
}

TEST(Augmented, TakesPicturesOfEveryShapeAndNoneAtAll) {
  AugmentedSheet sheet = sheet_of(0, 0);
  EXPECT_NO_THROW(static_cast<void>(painted(augmented(sheet))));
  for (const Size size : {Size{0, 0}, Size{1, 1}, Size{1, 3000}, Size{3000, 1}, Size{900, 700}}) {
    sheet.rows.push_back({.original = Image(size.width, size.height),
                          .label = "x",
                          .views = {{.picture = Image(size.width, size.height)}, {}}});
    EXPECT_NO_THROW(static_cast<void>(painted(augmented(sheet))));
  }
  std::ranges::reverse(sheet.rows);
  const Drawing drawing = augmented(sheet);
  EXPECT_LT(drawing.height, 5 * 320 + 200);
  EXPECT_EQ(read_markup(to_svg(drawing)).error, "");
}

TEST(Augmented, BreaksALongSummaryAndCutsALongWord) {
  AugmentedSheet sheet = sheet_of(1, 2);
  const Drawing one_line = augmented(sheet);
  sheet.summary = "brightness, contrast and saturation, each by a little";
  for (int i = 0; i < 3; ++i) sheet.summary += ", " + sheet.summary.substr(0, 60);
  const Drawing longer = augmented(sheet);
  EXPECT_EQ(longer.width, one_line.width);
  EXPECT_GE(longer.height, one_line.height + 28);
  sheet.summary = std::string(5000, 'w');
  EXPECT_EQ(augmented(sheet).height, one_line.height);
  // Nothing is painted beyond the margin.
  const Image image = painted(augmented(sheet), 1);
  for (int y = 0; y < image.height; ++y) {
    for (int x = image.width - 15; x < image.width; ++x) ASSERT_EQ(image.row(y)[3 * x], 255);
  }
}

TEST(Augmented, HostileTextStaysText) {
  AugmentedSheet sheet = sheet_of(1, 1);
  sheet.title = sheet.summary = sheet.rows[0].label = sheet.rows[0].views[0].note = kHostile;
  EXPECT_EQ(read_markup(to_svg(augmented(sheet))).error, "");
  EXPECT_NO_THROW(static_cast<void>(painted(augmented(sheet))));
}

TEST(Augmented, SvgCarriesPhotographsAsJpeg) {
  const std::string svg = to_svg(augmented(sheet_of(2, 2)));
  EXPECT_THAT(svg, testing::HasSubstr("data:image/jpeg;base64,"));
  EXPECT_THAT(svg, testing::Not(testing::HasSubstr("data:image/png")));
}

TEST(Augmented, OutlivesWhatItShows) {
  Drawing drawing;
  {
    const AugmentedSheet sheet = sheet_of(1, 1);
    drawing = augmented(sheet);
  }
  EXPECT_GT(count_pixels(painted(drawing, 1), kView), 10000);
}

}  // namespace engraft::test::augmented_test
