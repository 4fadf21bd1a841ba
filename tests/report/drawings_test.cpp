#include "engraft/report/drawings.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "engraft/base/error.h"
#include "markup.h"
#include "sample_record.h"

namespace engraft::drawings_test {

using namespace test;

TEST(Drawings, PngHasTheSizeOfTheDrawingTimesTheScale) {
  const Drawing drawing = curves(sample_record());
  for (const double scale : {0.5, 1.0, 2.0}) {
    const Image image = painted(drawing, scale);
    EXPECT_EQ(image.width, static_cast<int>(std::ceil(drawing.width * scale)));
    EXPECT_EQ(image.height, static_cast<int>(std::ceil(drawing.height * scale)));
  }
}

TEST(Drawings, RefuseScalesThatMakeNoPicture) {
  const Drawing drawing = curves(sample_record());
  for (const double scale : {0.0, -1.0, 1e6, std::nan("")}) {
    try {
      static_cast<void>(to_png(drawing, scale));
      FAIL() << scale;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    }
  }
}

TEST(Drawings, SvgIsWellFormed) {
  const RunRecord run = sample_record();
  for (const Drawing& drawing : {curves(run), confusion(run), predictions(run)}) {
    const std::string svg = to_svg(drawing);
    EXPECT_EQ(read_markup(svg).error, "");
    EXPECT_THAT(svg, testing::HasSubstr("<svg"));
  }
}

TEST(Drawings, SameRecordGivesTheSameBytes) {
  const RunRecord run = sample_record();
  const auto draw = {curves, confusion, predictions};
  for (const auto& drawing : draw) {
    EXPECT_TRUE(to_png(drawing(run)) == to_png(drawing(run)));
    EXPECT_TRUE(to_svg(drawing(run)) == to_svg(drawing(run)));
  }
}

TEST(Drawings, OutliveTheirRecord) {
  Drawing drawing;
  {
    const RunRecord run = sample_record();
    drawing = predictions(run);
  }
  EXPECT_GT(count_pixels(painted(drawing), kRed), 100);
}

TEST(Drawings, TakeAnEmptyRecord) {
  const RunRecord nothing;
  for (const Drawing& drawing : {curves(nothing), confusion(nothing), predictions(nothing)}) {
    const Image image = painted(drawing);
    EXPECT_LT(count_pixels(image, 0xFFFFFF), image.width * image.height);  // it says so
  }
}

TEST(Drawings, TakeHostileText) {
  RunRecord run = record_of_classes(3);
  run.title = kHostile;
  run.class_names = {kHostile, std::string(100000, 'W'), ""};
  run.predictions = {shown(kHostile, std::string(100000, '\xff'))};
  run.predictions[0].name = kHostile;
  for (const Drawing& drawing : {confusion(run), predictions(run)}) {
    EXPECT_LT(drawing.width, 1000);
    EXPECT_NO_THROW(static_cast<void>(to_png(drawing, 1)));
    EXPECT_NO_THROW(static_cast<void>(to_svg(drawing)));
  }
}

TEST(Curves, ShowTrainingAndValidation) {
  const Image image = painted(curves(sample_record()));
  EXPECT_GT(count_pixels(image, kBlue), 200);
  EXPECT_GT(count_pixels(image, kVermilion), 200);
}

TEST(Curves, HideASeriesThatIsAllNan) {
  RunRecord run = sample_record();
  for (CurvePoint& point : run.curve) point.val_loss = point.val_accuracy = kNan;
  const Image image = painted(curves(run));
  EXPECT_EQ(count_pixels(image, kBlue), 0);
  EXPECT_GT(count_pixels(image, kVermilion), 200);
}

TEST(Curves, MarkTheBestEpochOnlyIfThereIsOne) {
  RunRecord run = sample_record();
  const int with = count_pixels(painted(curves(run)), kBlue);
  run.best_epoch = 99;
  const int without = count_pixels(painted(curves(run)), kBlue);
  EXPECT_GT(with, without + 80);  // two dots and one in the legend
}

TEST(Curves, OneEpochIsADot) {
  RunRecord run;
  run.curve = falling_curve(1);
  run.best_epoch = 1;
  const Image image = painted(curves(run));
  EXPECT_GT(count_pixels(image, kBlue), 50);
  EXPECT_GT(count_pixels(image, kVermilion), 20);
}

TEST(Curves, TakeFiveHundredEpochs) {
  RunRecord run;
  run.curve = falling_curve(500);
  EXPECT_GT(count_pixels(painted(curves(run)), kBlue), 200);
}

TEST(Curves, TakeNanInfinityAndSpikes) {
  RunRecord run = sample_record();
  run.curve[3].val_loss = kInfinity;
  run.curve[4].train_loss = -kInfinity;
  run.curve[5].train_loss = 3e38f;
  run.curve[6].val_accuracy = kNan;
  run.curve[7].train_accuracy = kInfinity;
  run.curve[8].train_accuracy = -5;
  EXPECT_GT(count_pixels(painted(curves(run)), kBlue), 200);
  EXPECT_NO_THROW(static_cast<void>(to_svg(curves(run))));
}

TEST(Curves, ASpikeIsATriangleAboveTheScale) {
  RunRecord run = sample_record();
  const Image before = painted(curves(run), 1);
  run.curve[10].train_loss = 1000;
  const Image after = painted(curves(run), 1);
  // Just above the loss panel's upper edge, where nothing else is drawn.
  const auto above = [](const Image& image) {
    return count_pixels(
        [&] {
          Image strip(240, 5);
          for (int y = 0; y < 5; ++y)
            std::copy_n(image.row(64 + y) + 3 * 450, 3 * 240, strip.row(y));
          return strip;
        }(),
        kVermilion);
  };
  EXPECT_EQ(above(before), 0);
  EXPECT_GT(above(after), 8);
}

TEST(Confusion, GrowsSensiblyWithTheClasses) {
  for (const int classes : {2, 3, 7, 20, 60, 120, 300}) {
    const Drawing drawing = confusion(record_of_classes(classes));
    EXPECT_GE(drawing.width, 200) << classes;
    EXPECT_LE(drawing.width, 1400) << classes;
    EXPECT_LE(drawing.height, 1400) << classes;
    EXPECT_GT(count_pixels(painted(drawing), 0xF6F7F9), 0) << classes;
  }
}

TEST(Confusion, MistakesAreAnotherColour) {
  const int none = count_pixels(painted(confusion(record_of_classes(4, 0))), kVermilion);
  const int all = count_pixels(painted(confusion(record_of_classes(4, 10))), kVermilion);
  EXPECT_LT(none, 200);  // the key
  EXPECT_GT(all, 4 * 60 * 60);
}

TEST(Confusion, OnlyAFullRowHasTheFullColour) {
  RunRecord run = record_of_classes(2);
  const auto full_blue = [&](std::vector<std::vector<int>> counts) {
    run.evaluation.confusion = std::move(counts);
    return count_pixels(painted(confusion(run)), kBlue);
  };
  const int both = full_blue({{10, 0}, {0, 10}});
  const int one = full_blue({{6, 4}, {0, 10}});
  const int none = full_blue({{6, 4}, {4, 6}});
  EXPECT_GT(both, 15000);
  EXPECT_NEAR(one, both / 2.0, 0.03 * both);
  EXPECT_LT(none, 200);
}

TEST(Confusion, TakesRowsWithoutPictures) {
  RunRecord run = record_of_classes(2);
  run.evaluation.confusion = {{0, 0}, {0, 0}};
  EXPECT_LT(count_pixels(painted(confusion(run)), kBlue), 200);
}

TEST(Confusion, TakesAMatrixThatIsNotSquare) {
  RunRecord run = record_of_classes(3);
  run.evaluation.confusion = {{1}, {1, 2, 3, 4, 5}, {}};
  EXPECT_NO_THROW(static_cast<void>(painted(confusion(run))));
}

TEST(Predictions, EachWrongOneHasItsRedMark) {
  RunRecord run;
  const auto red = [&](int wrong) {
    run.predictions.clear();
    for (int i = 0; i < 10; ++i) {
      run.predictions.push_back(shown("clean", i < wrong ? "dirty" : "clean"));
    }
    return count_pixels(painted(predictions(run), 2), kRed);
  };
  EXPECT_EQ(red(0), 0);
  const int one = red(1);
  EXPECT_GT(one, 2000);
  for (const int wrong : {2, 5, 10}) EXPECT_NEAR(red(wrong), wrong * one, 0.02 * wrong * one);
}

TEST(Predictions, TheCrossIsWhiteOnRed) {
  const Drawing card = prediction_card(shown("clean", "dirty"));
  const Image wrong = painted(card, 2);
  const Image right = painted(prediction_card(shown("clean", "clean")), 2);
  // Inside the thumbnail only the cross is white.
  const auto white_inside = [](const Image& image) {
    Image part(280, 200);
    for (int y = 0; y < 200; ++y) std::copy_n(image.row(20 + y) + 3 * 24, 3 * 280, part.row(y));
    return count_pixels(part, 0xFFFFFF);
  };
  EXPECT_EQ(white_inside(right), 0);
  EXPECT_GT(white_inside(wrong), 100);
}

TEST(Predictions, ShowThePicture) {
  const Image image = painted(prediction_card(shown("a", "a")), 1);
  EXPECT_GT(count_pixels(image, 0x808080), 15000);
}

TEST(Predictions, ShowTwentyAtMost) {
  RunRecord run;
  run.predictions.assign(20, shown("a", "a"));
  const Bytes twenty = to_png(predictions(run), 1);
  run.predictions.resize(35, shown("a", "b"));
  EXPECT_EQ(to_png(predictions(run), 1), twenty);
}

TEST(Predictions, TakePicturesOfEveryShape) {
  RunRecord run;
  for (const Size size : {Size{1, 1}, Size{1, 3000}, Size{3000, 1}, Size{2000, 1500}, Size{0, 0}}) {
    ShownPrediction prediction = shown("a", "b");
    prediction.picture = Image(size.width, size.height);
    prediction.probability = kNan;
    run.predictions.push_back(prediction);
  }
  EXPECT_NO_THROW(static_cast<void>(painted(predictions(run))));
  EXPECT_EQ(read_markup(to_svg(predictions(run))).error, "");
}

TEST(Predictions, SvgCarriesPhotographsAsJpeg) {
  RunRecord run;
  run.predictions.assign(3, shown("a", "a"));
  const std::string svg = to_svg(predictions(run));
  EXPECT_THAT(svg, testing::HasSubstr("data:image/jpeg;base64,"));
  EXPECT_THAT(svg, testing::Not(testing::HasSubstr("data:image/png")));
}

}  // namespace engraft::drawings_test
