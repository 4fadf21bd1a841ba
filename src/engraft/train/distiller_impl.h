#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engraft/engine/batch_runner.h"
#include "engraft/engine/training/gradient_runner.h"
#include "engraft/image/mix.h"
#include "engraft/train/distiller.h"
#include "engraft/train/ema.h"
#include "engraft/train/parameter_groups.h"
#include "engraft/train/quantised_rows.h"

namespace engraft {

/// One picture of a batch: a function of the picture and the number of its view.
struct TaughtView {
  std::size_t picture = 0;
  std::uint64_t view = 0;
  Mix mix;
  std::size_t partner = 0;
};

/// The parts of Distiller. Views and batches are in distiller_views.cpp, looks in
/// distiller_look.cpp, state in distiller_state.cpp.
struct Distiller::Impl {
  Impl(const DistillSpec& given, ThreadPool& threads);

  [[nodiscard]] int epoch() const { return static_cast<int>(step_ / per_epoch_) + 1; }
  [[nodiscard]] std::int64_t total() const { return per_epoch_ * options_.epochs; }
  [[nodiscard]] std::size_t features() const { return spec_.teacher->top.features(); }
  [[nodiscard]] bool looks_after(int epoch) const;

  // Views.
  [[nodiscard]] TaughtView draw(std::size_t picture, std::uint64_t view) const;
  [[nodiscard]] std::vector<TaughtView> batch() const;
  void fill(const TaughtView& view, const Preprocessing& to, std::span<float> input) const;
  [[nodiscard]] std::vector<float> feature_scale();
  [[nodiscard]] std::size_t row_of(const TaughtView& view) const;
  /// Features of the teacher for a batch, into taught_, and inputs of the student where the same
  /// pixels were needed for both.
  void ask_teacher(std::span<const TaughtView> batch);

  /// Throws Error(kBadInput) for features of the teacher that are infinite or no numbers.
  static void require_finite(std::span<const float> features);

  void update(float rate, double norm);
  /// Sums over a batch.
  void learn(std::span<const TaughtView> batch);

  void prepare_held_out();
  void end_epoch(float rate);
  void look(DistillResult& result) const;
  [[nodiscard]] Network student() const;
  [[noreturn]] void diverged(const char* what, float rate) const;
  void check_state(const DistillState& state) const;

  DistillSpec spec_;
  DistillOptions options_;
  ThreadPool& pool_;
  std::size_t batch_size_;
  std::int64_t per_epoch_;
  bool one_view_;  ///< teacher and student take the very same pixels
  GradientRunner runner_;
  BatchRunner teacher_;
  std::vector<float> parameters_, statistics_, gradient_;
  Optimizer optimizer_;
  std::vector<ParameterGroup> groups_;
  Ema average_, average_statistics_;
  QuantisedRows remembered_;
  std::optional<DistillLoss> loss_;

  std::int64_t step_ = 0;
  double feature_error_ = 0, divergence_ = 0;
  std::int64_t agreeing_ = 0, seen_ = 0;
  std::vector<DistillResult> history_;
  std::chrono::steady_clock::time_point epoch_start_ = std::chrono::steady_clock::now();

  // Of the batch at hand.
  std::vector<float> taught_, inputs_;
  std::vector<char> has_input_;
  std::vector<DistillTerms> terms_;

  std::vector<float> held_out_features_;
  double seconds_looking_ = 0;
};

}  // namespace engraft
