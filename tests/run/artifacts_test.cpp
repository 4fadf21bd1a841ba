#include "engraft/run/artifacts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace engraft::artifacts_test {

TEST(ResultsCsv, HasARowAnEpoch) {
  const std::vector<EpochResult> history{{.epoch = 1,
                                          .learning_rate = 0.5f,
                                          .train_loss = 0.7f,
                                          .train_accuracy = 0.5f,
                                          .val_loss = 0.6f,
                                          .val_accuracy = 0.75f,
                                          .seconds = 0.25},
                                         {.epoch = 2,
                                          .learning_rate = 0,
                                          .train_loss = 0.1f,
                                          .train_accuracy = 1,
                                          .val_loss = 0.2f,
                                          .val_accuracy = 1,
                                          .seconds = 1}};
  EXPECT_EQ(results_csv(history, {{"head", 1}, {"block_13", 2}}),
            "epoch,stage,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,seconds\n"
            "1,head,0.5,0.699999988,0.5,0.600000024,0.75,0.2500\n"
            "2,block_13,0,0.100000001,1,0.200000003,1,1.0000\n");
}

TEST(ResultsCsv, LeavesOutWhatWasNotMeasured) {
  const std::vector<EpochResult> history{
      {.epoch = 1, .val_loss = std::nanf(""), .val_accuracy = std::nanf("")}};
  EXPECT_THAT(results_csv(history, {}), ::testing::HasSubstr("\n1,,0,0,0,,,0.0000\n"));
}

}  // namespace engraft::artifacts_test
