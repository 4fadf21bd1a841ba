#include "engraft/report/distill_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace engraft::distill_report_test {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

DistillRecord record() {
  return {.title = "small <&> onnx",
          .points = {{.epoch = 20,
                      .agreement = 0.1,
                      .held_out_agreement = 0.2,
                      .probe = 0.4,
                      .loss = 5,
                      .held_out_loss = 6},
                     {.epoch = 40,
                      .agreement = 0.2,
                      .held_out_agreement = 0.3,
                      .loss = 4,
                      .held_out_loss = 5}},
          .held_out = 200,
          .agreement = {.value = 0.305, .low = 0.245, .high = 0.372},
          .probed = 50,
          .probe = {.value = 0.7, .low = 0.562, .high = 0.809},
          .teacher_probe = {.value = 0.9, .low = 0.786, .high = 0.957},
          .facts = {{"Teacher", "<b>large</b>"}},
          .notes = {"A note."},
          .problems = {{"bad.jpg", "is empty"}}};
}

TEST(DistillReport, ThePageSaysWhatIsMeasuredWithItsInterval) {
  EXPECT_THAT(distill_page(record()),
              AllOf(HasSubstr("30.5"), HasSubstr("24.5 to 37.2"), HasSubstr("of 200 pictures"),
                    HasSubstr("agreement, not accuracy"), HasSubstr("n = 50"), HasSubstr("A note."),
                    HasSubstr("bad.jpg"), HasSubstr("<svg")));
}

TEST(DistillReport, TextsFromOutsideAreEscaped) {
  const std::string page = distill_page(record());
  EXPECT_THAT(page, AllOf(HasSubstr("small &lt;&amp;&gt; onnx"), HasSubstr("&lt;b&gt;large")));
  EXPECT_THAT(page, Not(HasSubstr("<b>large")));
}

TEST(DistillReport, WhatWasNotMeasuredIsLeftOut) {
  DistillRecord empty;
  empty.title = "x";
  const std::string page = distill_page(empty);
  EXPECT_THAT(page, Not(AnyOf(HasSubstr("held out"), HasSubstr("<svg"), HasSubstr("Problems"),
                              HasSubstr("nan"), HasSubstr("n = 0"))));
}

TEST(DistillReport, TheDrawingNamesItsLinesAndOnlyThoseThatAreThere) {
  const std::string with = to_svg(distill_curves(record()));
  DistillRecord without = record();
  for (DistillPoint& point : without.points) point.probe = DistillPoint::kUnknown;
  EXPECT_LT(to_svg(distill_curves(without)).size(), with.size());
}

TEST(DistillReport, DrawsASinglePointAndNone) {
  DistillRecord one = record();
  one.points.resize(1);
  EXPECT_GT(to_png(distill_curves(one)).size(), 1000u);
  EXPECT_GT(to_png(distill_curves({})).size(), 100u);
}

}  // namespace engraft::distill_report_test
