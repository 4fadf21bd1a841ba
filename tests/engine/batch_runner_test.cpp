#include "engraft/engine/batch_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "engraft/base/error.h"
#include "engraft/graph/mobilenet_v2.h"
#include "support/random_values.h"
#include "support/random_weights.h"

namespace engraft::batch_runner_test {

using test::random_values;

constexpr std::size_t kInput = 64 * 64 * 3;

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

class BatchRunnerTest : public testing::Test {
 protected:
  Graph graph_ = mobilenet_v2({.width = 0.5f, .image_size = 64, .classes = 5});
  Weights weights_ = test::random_weights(graph_);
  std::vector<std::vector<float>> pictures_ = [] {
    std::vector<std::vector<float>> pictures;
    for (std::uint64_t i = 0; i < 11; ++i) pictures.push_back(random_values(kInput, i));
    return pictures;
  }();

  /// A picture's output when it is the only one.
  [[nodiscard]] std::vector<float> alone(const std::vector<float>& picture) const {
    ThreadPool pool(1);
    BatchRunner runner(graph_, weights_, pool);
    std::vector<float> result;
    runner.run(
        1,
        [&](std::size_t, std::span<float> input) {
          std::copy(picture.begin(), picture.end(), input.begin());
          return true;
        },
        [&](std::size_t, std::span<const float> output) {
          result.assign(output.begin(), output.end());
        });
    return result;
  }

  using Results = std::vector<std::optional<std::vector<float>>>;

  /// The outputs of count pictures (picture i is pictures_[i mod 11]), nothing where left out.
  [[nodiscard]] Results run(BatchRunner& runner, std::size_t count,
                            const std::function<bool(std::size_t)>& leave_out = {}) const {
    Results results(count);
    runner.run(
        count,
        [&](std::size_t i, std::span<float> input) {
          EXPECT_EQ(input.size(), kInput);
          const auto& picture = pictures_[i % pictures_.size()];
          std::copy(picture.begin(), picture.end(), input.begin());
          return !leave_out || !leave_out(i);
        },
        [&](std::size_t i, std::span<const float> output) {
          EXPECT_FALSE(results[i]) << "picture " << i << " was taken twice";
          results[i].emplace(output.begin(), output.end());
        });
    return results;
  }
};

TEST_F(BatchRunnerTest, EveryPictureHasItsBitsForAnyNumberOfThreadsAndPictures) {
  std::vector<std::vector<float>> expected;
  for (const auto& picture : pictures_) expected.push_back(alone(picture));
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    BatchRunner runner(graph_, weights_, pool);
    for (std::size_t count = 0; count <= 11; ++count) {
      const Results results = run(runner, count);
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_TRUE(results[i]) << i;
        EXPECT_TRUE(same_bits(*results[i], expected[i]))
            << "picture " << i << " of " << count << ", " << threads << " threads";
      }
    }
  }
}

TEST_F(BatchRunnerTest, SamePictureHasTheSameBitsAtEveryPlace) {
  const auto expected = alone(pictures_[3]);
  for (auto& picture : pictures_) picture = pictures_[3];
  ThreadPool pool(2);
  BatchRunner runner(graph_, weights_, pool);
  for (const auto& result : run(runner, 9)) EXPECT_TRUE(same_bits(*result, expected));
}

TEST_F(BatchRunnerTest, PicturesLeftOutAreNotTakenAndDisturbNobody) {
  ThreadPool pool(2);
  BatchRunner runner(graph_, weights_, pool);
  const Results all = run(runner, 11);
  // Some alone, a whole micro-batch (4 to 7), all at last.
  const std::vector<std::function<bool(std::size_t)>> choices{
      [](std::size_t i) { return i % 3 == 0; }, [](std::size_t i) { return i >= 4 && i < 8; },
      [](std::size_t) { return true; }};
  for (const auto& leave_out : choices) {
    const Results some = run(runner, 11, leave_out);
    for (std::size_t i = 0; i < 11; ++i) {
      EXPECT_EQ(some[i].has_value(), !leave_out(i));
      if (some[i]) {
        EXPECT_TRUE(same_bits(*some[i], *all[i]));
      }
    }
  }
}

TEST_F(BatchRunnerTest, FailureToFillOrTakeReachesTheCallerAndTheRunnerStaysUsable) {
  ThreadPool pool(2);
  BatchRunner runner(graph_, weights_, pool);
  const Results before = run(runner, 5);
  const auto fail = [](auto&&...) -> bool { throw Error(ErrorKind::kIo, "unreadable"); };
  EXPECT_THROW(runner.run(9, fail, [](std::size_t, std::span<const float>) {}), Error);
  EXPECT_THROW(
      runner.run(
          9, [](std::size_t, std::span<float>) { return true; },
          [](std::size_t, std::span<const float>) { throw Error(ErrorKind::kIo, "disk full"); }),
      Error);
  const Results after = run(runner, 5);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_TRUE(same_bits(*after[i], *before[i]));
}

TEST_F(BatchRunnerTest, ThreadsBeyondTheWorkAreHarmless) {
  ThreadPool pool(8);
  BatchRunner runner(graph_, weights_, pool);
  const Results results = run(runner, 3);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(*results[i], alone(pictures_[i])));
}

}  // namespace engraft::batch_runner_test
