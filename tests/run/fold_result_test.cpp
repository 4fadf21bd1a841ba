#include "engraft/run/fold_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/errors.h"

namespace engraft::fold_result_test {

using test::expect_error;
using ::testing::HasSubstr;

constexpr FoldShape kShape{.judged = 3, .classes = 2, .epochs = 2};

FoldResult result() {
  FoldResult fold{.history = {{.epoch = 1, .learning_rate = 0.1f, .seconds = 0.3},
                              {.epoch = 2, .learning_rate = 0, .val_loss = std::nanf("")}},
                  .probabilities = Tensor(Shape{3, 2})};
  for (float& p : fold.probabilities.values()) p = 0.25f;
  return fold;
}

void expect_damaged(const SafetensorsFile& file, const std::string& what) {
  expect_error(ErrorKind::kBadInput, HasSubstr(what),
               [&] { (void)fold_result_from(file, kShape); });
}

/// With another number in the history.
SafetensorsFile with(std::size_t row, std::size_t column, double value) {
  SafetensorsFile file = to_safetensors(result());
  std::vector<double> rows = values_of<double>(file.tensors.at("history"));
  rows[row * 7 + column] = value;
  file.tensors.insert_or_assign("history",
                                make_entry<double>(file.tensors.at("history").shape, rows));
  return file;
}

TEST(FoldResults, ComeBackAsTheyWere) {
  const FoldResult read = fold_result_from(to_safetensors(result()), kShape);
  EXPECT_EQ(to_safetensors(read), to_safetensors(result()));
  ASSERT_EQ(read.history.size(), 2u);
  EXPECT_EQ(read.history[0].learning_rate, 0.1f);
  EXPECT_EQ(read.history[0].seconds, 0.3);
  EXPECT_TRUE(std::isnan(read.history[1].val_loss));
}

TEST(FoldResults, OfAnInt8RunHaveBothProbabilities) {
  FoldShape shape = kShape;
  shape.precision = Precision::kInt8;
  FoldResult fold = result();
  fold.in_floats = Tensor(Shape{3, 2});
  for (float& p : fold.in_floats.values()) p = 0.75f;
  const SafetensorsFile file = to_safetensors(fold);
  EXPECT_EQ(to_safetensors(fold_result_from(file, shape)), file);
  expect_damaged(file, "other tensors than probabilities and history");
  const auto refused = [&](const SafetensorsFile& damaged, const std::string& what) {
    expect_error(ErrorKind::kBadInput, HasSubstr(what),
                 [&] { (void)fold_result_from(damaged, shape); });
  };
  refused(to_safetensors(result()),
          "other tensors than probabilities and history and probabilities_float32");
  fold.in_floats.values()[1] = std::nanf("");
  refused(to_safetensors(fold), "probabilities_float32 beyond 0 and 1");
  fold.in_floats = Tensor(Shape{2, 2});
  refused(to_safetensors(fold), "probabilities_float32 are F32 [2,2], not F32 [3,2]");
}

TEST(FoldResults, AreRefusedWithEpochsThatCannotBe) {
  constexpr double kHuge = std::numeric_limits<double>::max();
  for (const double epoch : {2.0, 0.0, -1.0, 1.5, kHuge, -kHuge, std::nan(""), HUGE_VAL}) {
    expect_damaged(with(0, 0, epoch), "in row 1");
  }
  expect_damaged(with(1, 0, 3), "has epoch 3 in row 2");
  expect_damaged(with(0, 2, 1e300), "which is no float");
}

TEST(FoldResults, AreRefusedWithMoreOrFewerEpochsThanWerePlanned) {
  for (const int epochs : {0, 1, 3}) {
    FoldResult fold = result();
    fold.history.clear();
    for (int i = 1; i <= epochs; ++i) fold.history.push_back({.epoch = i});
    expect_damaged(to_safetensors(fold), std::to_string(epochs) + " of 2 epochs");
  }
}

TEST(FoldResults, AreRefusedWithTensorsOfAnotherForm) {
  for (const char* name : {"probabilities", "history"}) {
    SafetensorsFile file = to_safetensors(result());
    file.tensors.erase(name);
    expect_damaged(file, "tensors");
    file = to_safetensors(result());
    file.tensors.insert_or_assign(name, make_entry(Tensor(Shape{14})));
    expect_damaged(file, name);
    file.tensors.insert_or_assign(
        name, make_entry<std::int64_t>(Shape{2, 7}, std::vector<std::int64_t>(14)));
    expect_damaged(file, name);
  }
  SafetensorsFile more = to_safetensors(result());
  more.tensors.emplace("more", make_entry(Tensor(Shape{1})));
  expect_damaged(more, "other tensors");
}

TEST(FoldResults, AreRefusedWithProbabilitiesThatAreNone) {
  for (const float p : {-0.1f, 1.1f, std::nanf(""), HUGE_VALF}) {
    FoldResult fold = result();
    fold.probabilities.values()[3] = p;
    expect_damaged(to_safetensors(fold), "beyond 0 and 1");
  }
}

}  // namespace engraft::fold_result_test
