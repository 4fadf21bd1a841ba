#include "engraft/run/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "support/errors.h"

namespace engraft::memory_plan_test {

using test::expect_error;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::uint64_t kMegabyte = 1 << 20;

class MemoryPlans : public ::testing::Test {
 protected:
  void SetUp() override {
    network_.graph = mobilenet_v2({.width = 0.35f, .image_size = 448, .classes = 2});
    network_.weights = random_weights(network_.graph, 1);
    FineTuneOptions stage;
    stage.from = "all";
    stage.batch = 16;
    recipe_.tuning = stage;
  }
  [[nodiscard]] std::size_t training(int micro_batch) {
    FineTuneOptions stage = *recipe_.tuning;
    stage.micro_batch = micro_batch;
    return training_memory(network_, stage, pool_);
  }
  [[nodiscard]] MemoryPlan plan(std::uint64_t bytes) {
    return plan_memory(network_, recipe_, bytes, pool_);
  }
  /// The smallest limit with which a plan has micro-batches of that size, to the megabyte.
  [[nodiscard]] std::uint64_t least(int micro_batch) {
    std::uint64_t low = 0, high = std::uint64_t{1} << 30;
    while (high - low > kMegabyte) {
      const std::uint64_t middle = (low + high) / 2;
      (fits(middle, micro_batch) ? high : low) = middle;
    }
    return high;
  }
  [[nodiscard]] bool fits(std::uint64_t bytes, int micro_batch) {
    try {
      return plan(bytes).micro_batch >= micro_batch;
    } catch (const Error&) {
      return false;
    }
  }

  ThreadPool pool_{4};  // each worker has a workspace
  Network network_;
  Recipe recipe_;
};

TEST_F(MemoryPlans, HaveTheMicroBatchAskedForWhereItFits) {
  const MemoryPlan plenty = plan(std::uint64_t{8} << 30);
  EXPECT_EQ(plenty.micro_batch, 4);
  EXPECT_EQ(plenty.note, "");
  EXPECT_EQ(plan(0).micro_batch, 4) << "of what the machine has";
}

TEST_F(MemoryPlans, MakeItSmallerWhereItDoesNotAndSaySo) {
  const std::uint64_t least_for_4 = least(4), least_for_2 = least(2), least_for_1 = least(1);
  ASSERT_LT(least_for_2 + kMegabyte, least_for_4);
  ASSERT_LT(least_for_1 + kMegabyte, least_for_2);
  EXPECT_EQ(plan(least_for_4 - 2 * kMegabyte).micro_batch, 2);
  EXPECT_THAT(plan(least_for_4 - 2 * kMegabyte).note,
              AllOf(HasSubstr("Micro-batches of 2 instead of 4 pictures"), HasSubstr(" MB")));
  EXPECT_EQ(plan(least_for_2 - 2 * kMegabyte).micro_batch, 1);
  EXPECT_THAT(plan(least_for_2 - 2 * kMegabyte).note, HasSubstr("of 1 instead of 4 pictures"));
  EXPECT_GE(least_for_1, training(1)) << "all that training takes is in the limit";
}

TEST_F(MemoryPlans, RefuseWhatIsTooLittleAndSayHowMuchWouldDo) {
  const std::uint64_t least_for_1 = least(1);
  const std::string enough = std::to_string(least_for_1 >> 20);
  for (const std::uint64_t bytes : {std::uint64_t{1}, std::uint64_t{1} << 20, least_for_1 / 2}) {
    expect_error(ErrorKind::kUsage,
                 AllOf(HasSubstr("needs " + enough + " MB"), HasSubstr("--memory")),
                 [&] { (void)plan(bytes); });
  }
}

TEST_F(MemoryPlans, DivideNoMoreThanThereIs) {
  for (const std::uint64_t bytes : {least(1), least(2), least(4), least(4) + (1 << 28)}) {
    const MemoryPlan some = plan(bytes);
    EXPECT_LE(training(some.micro_batch) + some.pictures + some.boundaries, bytes);
  }
}

TEST_F(MemoryPlans, KeepAMicroBatchThatWasDecidedOrRefuse) {
  const auto exactly = [&](std::uint64_t bytes) {
    return plan_memory(network_, recipe_, bytes, pool_, MicroBatch::kExactly);
  };
  const std::uint64_t least_for_4 = least(4);
  EXPECT_EQ(exactly(least_for_4).micro_batch, 4);
  const std::uint64_t less = least_for_4 - 2 * kMegabyte;
  ASSERT_EQ(plan(less).micro_batch, 2);
  expect_error(ErrorKind::kUsage,
               AllOf(HasSubstr("needs " + std::to_string(least_for_4 >> 20) + " MB"),
                     HasSubstr("--memory"), ::testing::Not(HasSubstr("--tune-batch"))),
               [&] { (void)exactly(less); });
}

TEST_F(MemoryPlans, OfAHeadAloneNeedNothing) {
  recipe_.tuning.reset();
  EXPECT_EQ(plan(1).note, "");
}

TEST_F(MemoryPlans, TakeAnOddMicroBatch) {
  recipe_.tuning->micro_batch = 3;
  EXPECT_EQ(plan(least(3) - 2 * kMegabyte).micro_batch, 1);
}

}  // namespace engraft::memory_plan_test
