#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "engraft/train/checkpoint.h"
#include "support/random_values.h"

namespace engraft::test {

/// Two convolutions' worth of a network.
struct Layouts {
  Layouts() {
    parameters.append("block_1_expand/kernel", Shape{1, 1, 2, 3});
    parameters.append("bn/gamma", Shape{3});
    parameters.append("head/bias", Shape{2});
    statistics.append("bn/moving_mean", Shape{3});
    statistics.append("bn/moving_variance", Shape{3});
  }
  [[nodiscard]] CheckpointLayout get() const { return {parameters, statistics}; }

  ParameterLayout parameters, statistics;
};

/// Something in every member.
inline Checkpoint sample_checkpoint(const Layouts& layouts, std::int64_t step = 21) {
  const std::size_t p = layouts.parameters.size();
  const std::size_t s = layouts.statistics.size();
  const auto seed = static_cast<std::uint64_t>(step);
  return {.state = {.step = step,
                    .parameters = random_values(p, seed + 1),
                    .statistics = random_values(s, seed + 2),
                    .optimizer_steps = step + 1,
                    .optimizer = {{"first_moment", random_values(p, seed + 3)},
                                  {"second_moment", random_values(p, seed + 4)}},
                    .ema_steps = step + 2,
                    .ema = random_values(p, seed + 5),
                    .loss = 0.1,
                    .correct = 17,
                    .pictures = 20,
                    .history = {{.epoch = 1,
                                 .learning_rate = 0.1f,
                                 .train_loss = 1.5f,
                                 .train_accuracy = 0.3f,
                                 .val_loss = 1.25f,
                                 .val_accuracy = 0.7f,
                                 .seconds = 0.1},
                                {.epoch = 2}},
                    .best_epoch = 2,
                    .best_parameters = random_values(p, seed + 6),
                    .best_statistics = random_values(s, seed + 7)},
          .metadata = {{"data",
                        "Stra\xC3\x9F"
                        "e\n"},
                       {"", ""}}};
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

inline bool same_bits(double a, double b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// Whether seconds count, which no two runs have alike.
enum class Seconds { kCompared, kIgnored };

inline void expect_same_history(std::span<const EpochResult> a, std::span<const EpochResult> b,
                                Seconds seconds = Seconds::kCompared) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].epoch, b[i].epoch);
    const auto numbers = [](const EpochResult& e) {
      return std::vector{e.learning_rate, e.train_loss, e.train_accuracy, e.val_loss,
                         e.val_accuracy};
    };
    EXPECT_TRUE(same_bits(numbers(a[i]), numbers(b[i]))) << "epoch " << i;
    EXPECT_TRUE(seconds == Seconds::kIgnored || same_bits(a[i].seconds, b[i].seconds));
  }
}

inline void expect_same_bits(const FineTuneState& a, const FineTuneState& b,
                             Seconds seconds = Seconds::kCompared) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_TRUE(same_bits(a.parameters, b.parameters));
  EXPECT_TRUE(same_bits(a.statistics, b.statistics));
  EXPECT_EQ(a.optimizer_steps, b.optimizer_steps);
  ASSERT_EQ(a.optimizer.size(), b.optimizer.size());
  for (std::size_t i = 0; i < a.optimizer.size(); ++i) {
    EXPECT_EQ(a.optimizer[i].first, b.optimizer[i].first);
    EXPECT_TRUE(same_bits(a.optimizer[i].second, b.optimizer[i].second));
  }
  EXPECT_EQ(a.ema_steps, b.ema_steps);
  EXPECT_TRUE(same_bits(a.ema, b.ema));
  EXPECT_TRUE(same_bits(a.loss, b.loss));
  EXPECT_EQ(a.correct, b.correct);
  EXPECT_EQ(a.pictures, b.pictures);
  expect_same_history(a.history, b.history, seconds);
  EXPECT_EQ(a.best_epoch, b.best_epoch);
  EXPECT_TRUE(same_bits(a.best_parameters, b.best_parameters));
  EXPECT_TRUE(same_bits(a.best_statistics, b.best_statistics));
}

inline void expect_same_bits(const Checkpoint& a, const Checkpoint& b) {
  expect_same_bits(a.state, b.state);
  EXPECT_EQ(a.metadata, b.metadata);
}

}  // namespace engraft::test
