#include <fmt/format.h>

#include <cmath>

#include "engraft/base/error.h"
#include "engraft/train/fine_tune.h"

namespace engraft {
namespace {

void check_loop(const FineTuneOptions& o) {
  require(o.epochs >= 1 && o.epochs <= 100'000, fmt::format("{} epochs; 1 to 100000", o.epochs));
  require(o.batch >= 1 && o.batch <= 65536, fmt::format("a batch of {}; 1 to 65536", o.batch));
  require(o.micro_batch >= 1 && o.micro_batch <= 1024,
          fmt::format("a micro-batch of {}; 1 to 1024", o.micro_batch));
  require(o.warmup >= 0 && o.warmup < 1,
          fmt::format("a warm-up of {:g}; from 0 to less than 1", o.warmup));
  require(o.label_smoothing >= 0 && o.label_smoothing < 1,
          fmt::format("a label smoothing of {:g}; from 0 to less than 1", o.label_smoothing));
  require(o.patience >= 0, fmt::format("a patience of {}; 0 (never stop) or more", o.patience));
}

void check_update(const FineTuneOptions& o) {
  require(o.learning_rate > 0 && o.learning_rate <= 100,
          fmt::format("a learning rate of {:g}; above 0, up to 100", o.learning_rate));
  require(o.momentum >= 0 && o.momentum < 1,
          fmt::format("a momentum of {:g}; from 0 to less than 1", o.momentum));
  require(o.weight_decay >= 0 && o.weight_decay * o.learning_rate < 1,
          fmt::format("a weight decay of {:g}; from 0 to less than 1 / rate", o.weight_decay));
  require(o.layer_decay > 0 && o.layer_decay <= 1,
          fmt::format("a layer decay of {:g}; above 0, up to 1", o.layer_decay));
  require(o.clip >= 0 && std::isfinite(o.clip),
          fmt::format("a gradient norm of {:g}; 0 (any) or more", o.clip));
  require(o.ema >= 0 && o.ema < 1,
          fmt::format("an averaging decay of {:g}; from 0 to less than 1", o.ema));
  require(o.statistics_momentum >= 0 && o.statistics_momentum < 1,
          fmt::format("a momentum of the statistics of {:g}; from 0 to less than 1",
                      o.statistics_momentum));
}

}  // namespace

void check(const FineTuneOptions& options) {
  check_loop(options);
  check_update(options);
  check(options.augmentation);
}

}  // namespace engraft
