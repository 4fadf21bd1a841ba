#include <gtest/gtest.h>

#include <stop_token>

#include "engraft/train/fine_tune.h"
#include "support/errors.h"
#include "train/saved_training.h"
#include "train/tiny_pictures.h"

namespace engraft::fine_tune_stop_test {

using test::expect_error;
using test::expect_same_bits;
using test::TinyTraining;
using ::testing::HasSubstr;

/// Up to the stop, which comes with the last step of that epoch.
FineTuneState stopped_in_epoch(TinyTraining& training, int epoch, ThreadPool& pool) {
  std::stop_source source;
  training.spec.stop = source.get_token();
  const auto tuner = training.tuner(pool);
  while (tuner->steps_done() + 1 < epoch * tuner->steps_per_epoch()) tuner->step();
  source.request_stop();
  tuner->step();
  EXPECT_EQ(tuner->history().size(), static_cast<std::size_t>(epoch) - 1)
      << "the look at the validation pictures is cut short";
  EXPECT_FALSE(tuner->finished());
  training.spec.stop = {};
  return tuner->state();
}

TEST(FineTuner, AStopCutsTheLookAtTheValidationPicturesShort) {
  for (const char* from : {"all", "last"}) {
    for (const int epoch : {1, 2}) {
      TinyTraining training;
      training.spec.options.from = from;
      ThreadPool pool(2);
      const FineTuneState undisturbed = training.final_state(pool);
      const FineTuneState stopped = stopped_in_epoch(training, epoch, pool);
      const auto tuner = training.tuner(pool);
      tuner->restore(stopped);
      EXPECT_FALSE(tuner->finished());
      tuner->step();
      EXPECT_EQ(tuner->history().size(), static_cast<std::size_t>(epoch));
      EXPECT_EQ(tuner->steps_done(), stopped.step) << "only the look was left";
      while (!tuner->finished()) tuner->step();
      expect_same_bits(tuner->state(), undisturbed, test::Seconds::kIgnored);
    }
  }
}

TEST(FineTuner, GoesOnAfterAStopThatWasTakenBack) {
  TinyTraining training;
  ThreadPool pool(2);
  const FineTuneState stopped = stopped_in_epoch(training, 1, pool);
  const auto tuner = training.tuner(pool);
  tuner->restore(stopped);
  expect_same_bits(tuner->state(), stopped);
  expect_error(ErrorKind::kUsage, HasSubstr("epoch is not over"), [&] { tuner->step_at(0.1f); });
}

TEST(FineTuner, PredictHeedsAStop) {
  TinyTraining training;
  std::stop_source source;
  training.spec.stop = source.get_token();
  ThreadPool pool(2);
  const auto tuner = training.tuner(pool);
  source.request_stop();
  expect_error(ErrorKind::kCancelled, HasSubstr("stopped"),
               [&] { (void)tuner->predict(training.spec.validation.pictures); });
}

}  // namespace engraft::fine_tune_stop_test
