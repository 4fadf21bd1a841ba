#include "engraft/run/validate.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "engraft/base/error.h"

namespace engraft {
namespace {

enum class Ends { kOpen, kLowClosed };

/// (0, 1) or [0, 1).
void require_share(double value, Ends ends, std::string_view option, std::string_view example) {
  const bool above = ends == Ends::kOpen ? value > 0 : value >= 0;
  require_option(above && value < 1, option, value,
                 fmt::format("{} 0 and less than 1, such as {}",
                             ends == Ends::kOpen ? "more than" : "at least", example));
}

void require_there(const std::filesystem::path& path, std::string_view otherwise) {
  std::error_code error;
  if (std::filesystem::status(path, error).type() == std::filesystem::file_type::not_found) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: {}", path.string(), otherwise));
  }
}

void require_at_least(int value, int least, std::string_view option) {
  require_option(value >= least, option, value, fmt::format("at least {}", least));
}

void validate_tuning(const FineTuneOptions& o) {
  const auto in = [](double value, double low, double high) {
    return value >= low && value <= high;
  };
  require_option(in(o.epochs, 1, 100'000), "--tune-epochs", o.epochs, "1 to 100000");
  require_option(in(o.batch, 1, 65536), "--tune-batch", o.batch, "1 to 65536");
  require_option(in(o.micro_batch, 1, 1024), "--micro-batch", o.micro_batch, "1 to 1024");
  require_option(o.learning_rate > 0 && o.learning_rate <= 100, "--tune-lr", o.learning_rate,
                 "more than 0 and at most 100, such as 0.0003");
  require_share(o.warmup, Ends::kLowClosed, "--tune-warmup", "0.1");
  require_option(
      o.weight_decay >= 0 && o.weight_decay * o.learning_rate < 1, "--tune-weight-decay",
      o.weight_decay,
      fmt::format("at least 0 and less than 1 / rate, which is {:g}", 1 / o.learning_rate));
  require_option(o.layer_decay > 0 && o.layer_decay <= 1, "--layer-decay", o.layer_decay,
                 "more than 0 and at most 1, such as 0.9");
  require_option(std::isfinite(o.clip) && o.clip >= 0, "--clip", o.clip,
                 "0 (any) or more, such as 1");
  require_share(o.ema, Ends::kLowClosed, "--ema", "0.999");
  check(o);  // the rest, which names itself
}

}  // namespace

void require_option(bool ok, std::string_view option, double value, std::string_view wanted) {
  if (!ok)
    throw Error(ErrorKind::kUsage, fmt::format("{} {:g}: must be {}", option, value, wanted));
}

void validate(const TrainRequest& request) {
  require_there(request.pictures, "no such folder");
  if (!request.split.empty()) require_there(request.split, "no such split file");
  const TrainOptions& training = request.training;
  require_share(request.validation, Ends::kOpen, "--val", "0.2");
  require_option(request.folds == 0 || request.folds >= 2, "--folds", request.folds, "at least 2");
  require_at_least(request.views, 0, "--views");
  require_at_least(training.epochs, 1, "--epochs");
  require_at_least(training.batch, 1, "--batch");
  require_at_least(training.hidden, 1, "--hidden");
  require_at_least(training.patience, 0, "--patience");
  require_share(training.dropout, Ends::kLowClosed, "--dropout", "0.2");
  require_share(training.label_smoothing, Ends::kLowClosed, "--label-smoothing", "0.1");
  require_share(training.momentum, Ends::kLowClosed, "--momentum", "0.9");
  require_share(training.warmup, Ends::kLowClosed, "--warmup", "0.05");
  require_option(std::isfinite(training.learning_rate) && training.learning_rate > 0, "--lr",
                 training.learning_rate, "more than 0, such as 0.001");
  require_option(std::isfinite(training.weight_decay) && training.weight_decay >= 0,
                 "--weight-decay", training.weight_decay, "at least 0, such as 0.0001");
  if (request.recipe == RecipeKind::kFromScratch && training.loss == LossKind::kSigmoid) {
    throw Error(ErrorKind::kUsage,
                "--loss sigmoid: a network from scratch ends in a softmax; leave --loss away, or "
                "train a head on a pre-trained network");
  }
  validate_tuning(request.fine_tune);
  require_option(std::isfinite(request.checkpoint_seconds) && request.checkpoint_seconds >= 0,
                 "--checkpoint-every", request.checkpoint_seconds, "at least 0, such as 30");
  require_option(std::isfinite(request.budget) && request.budget >= 0, "--budget", request.budget,
                 "at least 0");
}

}  // namespace engraft
