#include "engraft/run/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/errors.h"

namespace engraft::validate_test {

using ::testing::StartsWith;

TrainRequest good_request() {
  TrainRequest request;
  request.pictures = "/";
  return request;
}

/// What change() makes of a good request is refused, in a message that begins with the option.
template <typename Change>
void refused(const std::string& option, const Change& change) {
  TrainRequest request = good_request();
  change(request);
  test::expect_error(ErrorKind::kUsage, StartsWith(option + " "), [&] { validate(request); });
}

TEST(Validate, TakesTheDefaults) {
  validate(good_request());
}

TEST(Validate, WantsPathsThatAreThere) {
  TrainRequest request = good_request();
  request.pictures = "/nowhere/photos";
  test::expect_error(ErrorKind::kNotFound, StartsWith("/nowhere/photos: "),
                     [&] { validate(request); });
  request = good_request();
  request.split = "/nowhere/split.csv";
  test::expect_error(ErrorKind::kNotFound, StartsWith("/nowhere/split.csv: "),
                     [&] { validate(request); });
}

TEST(Validate, WantsSharesBetweenZeroAndOne) {
  for (const double share :
       {-0.1, 0.0, 1.0, 1.5, std::nan(""), std::numeric_limits<double>::infinity()}) {
    refused("--val", [&](TrainRequest& request) { request.validation = share; });
  }
  for (const float share : {-0.1f, 1.0f, 2.0f, std::nanf("")}) {
    refused("--dropout", [&](TrainRequest& request) { request.training.dropout = share; });
    refused("--label-smoothing",
            [&](TrainRequest& request) { request.training.label_smoothing = share; });
    refused("--momentum", [&](TrainRequest& request) { request.training.momentum = share; });
    refused("--warmup", [&](TrainRequest& request) { request.training.warmup = share; });
  }
}

TEST(Validate, WantsCountsThatCanBe) {
  refused("--folds", [](TrainRequest& request) { request.folds = 1; });
  refused("--folds", [](TrainRequest& request) { request.folds = -3; });
  refused("--views", [](TrainRequest& request) { request.views = -1; });
  refused("--epochs", [](TrainRequest& request) { request.training.epochs = 0; });
  refused("--batch", [](TrainRequest& request) { request.training.batch = 0; });
  refused("--hidden", [](TrainRequest& request) { request.training.hidden = 0; });
  refused("--patience", [](TrainRequest& request) { request.training.patience = -1; });
}

TEST(Validate, WantsRatesThatCanBe) {
  for (const float rate : {0.0f, -1.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    refused("--lr", [&](TrainRequest& request) { request.training.learning_rate = rate; });
  }
  for (const float rate : {-1.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    refused("--weight-decay", [&](TrainRequest& request) { request.training.weight_decay = rate; });
  }
}

}  // namespace engraft::validate_test
