#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "engraft/run/validate.h"
#include "support/errors.h"

namespace engraft::validate_tuning_test {

using ::testing::StartsWith;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const float kNaN = std::nanf("");

using Set = std::function<void(TrainRequest&, float)>;

/// Each of the values is refused in a message that begins with the option, or with its part's name.
void refused(const std::string& option, std::initializer_list<float> values, const Set& set) {
  for (const float value : values) {
    TrainRequest request;
    request.pictures = "/";
    set(request, value);
    SCOPED_TRACE(value);
    test::expect_error(ErrorKind::kUsage, StartsWith(option + " "), [&] { validate(request); });
  }
}

TEST(ValidateTuning, WantsCountsThatCanBe) {
  refused("--tune-epochs", {0, -1, 100'001},
          [](TrainRequest& r, float x) { r.fine_tune.epochs = static_cast<int>(x); });
  refused("--tune-batch", {0, -1, 65537},
          [](TrainRequest& r, float x) { r.fine_tune.batch = static_cast<int>(x); });
  refused("--micro-batch", {0, -1, 1025},
          [](TrainRequest& r, float x) { r.fine_tune.micro_batch = static_cast<int>(x); });
}

TEST(ValidateTuning, WantsRatesThatCanBe) {
  refused("--tune-lr", {0, -1, 101, kInfinity, kNaN},
          [](TrainRequest& r, float x) { r.fine_tune.learning_rate = x; });
  refused("--tune-weight-decay", {-1, kInfinity, kNaN, 1e9f},
          [](TrainRequest& r, float x) { r.fine_tune.weight_decay = x; });
  refused("--clip", {-1, kInfinity, kNaN}, [](TrainRequest& r, float x) { r.fine_tune.clip = x; });
}

TEST(ValidateTuning, WantsSharesAndFactorsThatCanBe) {
  refused("--tune-warmup", {-0.1f, 1, kNaN},
          [](TrainRequest& r, float x) { r.fine_tune.warmup = x; });
  refused("--ema", {-0.1f, 1, kNaN}, [](TrainRequest& r, float x) { r.fine_tune.ema = x; });
  refused("--layer-decay", {0, -1, 1.5f, kNaN},
          [](TrainRequest& r, float x) { r.fine_tune.layer_decay = x; });
}

TEST(ValidateTuning, WantsTimesThatCanBe) {
  refused("--checkpoint-every", {-1, kInfinity, kNaN},
          [](TrainRequest& r, float x) { r.checkpoint_seconds = x; });
  refused("--budget", {-1, kInfinity, kNaN}, [](TrainRequest& r, float x) { r.budget = x; });
}

TEST(ValidateTuning, WantsAnAugmentationThatCanBe) {
  TrainRequest request;
  request.pictures = "/";
  request.fine_tune.augmentation.mirror = 2;
  test::expect_error(ErrorKind::kUsage, ::testing::HasSubstr("mirror"), [&] { validate(request); });
}

TEST(ValidateTuning, TakesTheEdges) {
  TrainRequest request;
  request.pictures = "/";
  request.fine_tune.epochs = 100'000;
  request.fine_tune.batch = request.fine_tune.micro_batch = 1;
  request.fine_tune.learning_rate = 100;
  request.fine_tune.weight_decay = 0;
  request.fine_tune.layer_decay = 1;
  request.fine_tune.warmup = request.fine_tune.ema = 0;
  request.checkpoint_seconds = 0;
  validate(request);
}

}  // namespace engraft::validate_tuning_test
