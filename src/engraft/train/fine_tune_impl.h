#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engraft/train/batch_draw.h"
#include "engraft/train/boundary_runner.h"
#include "engraft/train/ema.h"
#include "engraft/train/fine_tune.h"
#include "engraft/train/freeze.h"
#include "engraft/train/parameter_groups.h"
#include "engraft/train/picture_loss.h"

namespace engraft {

/// Sums over the pictures seen.
struct Tally {
  double loss = 0;
  std::size_t correct = 0, pictures = 0;
};

/// sum / n; NaN for none.
[[nodiscard]] float mean(double sum, std::size_t n);

/// The graph up to its last activation, which the loss takes care of. Throws Error(kUsage) where it
/// ends in something else.
[[nodiscard]] Graph without_activation(const Graph& graph);

/// The parts of FineTuner. Batches are in fine_tune_batch.cpp, epochs in fine_tune_epoch.cpp, state
/// and its return in fine_tune_state.cpp.
struct FineTuner::Impl {
  Impl(const FineTuneSpec& given, ThreadPool& threads);

  [[nodiscard]] int epoch() const { return static_cast<int>(step_ / per_epoch_) + 1; }
  /// The average, where there is one.
  [[nodiscard]] std::span<const float> current_parameters() const {
    return ema_ ? std::as_const(*ema_).average() : std::span<const float>(parameters_);
  }
  [[nodiscard]] Network network_of(std::span<const float> parameters,
                                   std::span<const float> statistics) const;
  [[nodiscard]] Tensor predict(const Network& network, std::span<const std::size_t> pictures);

  void make_groups();
  [[nodiscard]] PictureLoss make_loss() const;

  void fill_view(std::size_t entry, std::uint64_t view, std::span<float> input);
  void fill_plain(std::size_t picture, std::span<float> input);
  void fill(const Draw& draw, std::span<float> input);
  void fill_boundaries(std::span<const Draw> batch);
  [[nodiscard]] BoundaryCache::Key key(std::uint64_t view, std::size_t picture) const;
  /// Of a batch; gradient_ is that of its mean loss.
  [[nodiscard]] Tally run_gradient(std::span<const Draw> batch);
  void update(float rate, double norm);

  /// Leaves the epoch open on a stop.
  void end_epoch(float rate);
  void validate(EpochResult& result);
  void keep_if_best();
  [[nodiscard]] bool chooses_epoch() const;
  [[nodiscard]] bool out_of_patience() const;
  /// Throws where the last epoch has left something that is no number.
  void require_finite_epoch() const;
  [[noreturn]] void diverged(const char* what, int in_epoch, float rate) const;

  /// Whether the look at the validation pictures of its last epoch is still to come.
  [[nodiscard]] bool leaves_open(const FineTuneState& state) const;
  void check_state(const FineTuneState& state) const;

  FineTuneSpec spec_;
  const FineTuneOptions& options_;
  ThreadPool& pool_;
  Graph whole_;  ///< up to the logits
  std::size_t classes_ = 0;
  FrozenSplit split_;
  GradientRunner runner_;
  std::optional<BoundaryRunner> frozen_;
  std::uint64_t plain_maker_ = 0, drawn_maker_ = 0;  ///< in keys of the boundary cache
  BatchDraw draw_;
  PictureLoss loss_;
  std::int64_t per_epoch_ = 1, total_ = 1;
  Schedule schedule_;
  std::vector<ParameterGroup> groups_;  ///< what is trained
  std::vector<ParameterRange> held_;    ///< what is not

  std::int64_t step_ = 0;
  std::vector<float> parameters_, statistics_, gradient_;
  Optimizer optimizer_;
  std::optional<Ema> ema_;
  Tally tally_;
  std::vector<EpochResult> history_;
  int best_epoch_ = 0;
  std::vector<float> best_parameters_, best_statistics_;
  bool stopped_early_ = false;
  bool epoch_is_open_ = false;  ///< its steps are done, the look at the validation pictures is not
  std::chrono::steady_clock::time_point epoch_start_ = std::chrono::steady_clock::now();
  std::vector<float> boundary_;  ///< of the batch at hand, where there is a frozen part
};

}  // namespace engraft
