#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engraft/base/thread_pool.h"
#include "engraft/graph/parameter_layout.h"
#include "engraft/graph/surgery.h"
#include "engraft/image/augment.h"
#include "engraft/image/preprocessing.h"
#include "engraft/train/distill_loss.h"
#include "engraft/train/optimizer.h"
#include "engraft/train/picture_store.h"
#include "engraft/train/teacher.h"

namespace engraft {

/// The views that a student is taught on: close crops, mirrored, turned and coloured. Crops that
/// show little are as good as any, for the teacher is asked what it makes of just them.
[[nodiscard]] Augmentation distillation_views();

struct DistillOptions {
  static constexpr int kMostEpochs = 10'000'000;
  int epochs = 100;
  int batch = 64;
  int micro_batch = 8;  ///< pictures that go through the student together
  OptimizerKind optimizer = OptimizerKind::kAdamw;
  float learning_rate = 2e-3f;
  float weight_decay = 0.02f;
  /// Steps in which the rate rises to its peak, where it stays until the last `decay` share of all
  /// steps, in which it falls to 0 as 1-√x (Hägele et al. 2024, "Scaling Laws and Compute-Optimal
  /// Training Beyond Fixed Training Durations"): until then a run may still be made longer.
  int warmup_steps = 500;
  float decay = 0.2f;
  float clip = 5;      ///< largest norm of the gradient; 0: any
  float ema = 0.999f;  ///< decay of the moving average of weights and statistics that is kept
  float statistics_momentum = 0.99f;
  DistillLossOptions loss{.feature_weight = 4, .answer_weight = 1, .temperature = 1};
  Augmentation augmentation = distillation_views();
  float mixed = 0.5f;  ///< share of the pictures that another is mixed into, as augmentation says
  int views = 0;       ///< different views of each picture, which come again; 0: all are new
  int look_every = 0;  ///< epochs between two looks at the pictures held out; 0: about 50 in all
  std::uint64_t seed = 0;
};

/// Throws Error(kUsage) for a value out of its range, naming it.
void check(const DistillOptions& options);

/// The learning rate of a step of `total`.
[[nodiscard]] float distill_rate(const DistillOptions& options, std::int64_t step,
                                 std::int64_t total);

/// Looks at the pictures held out in a run of so many epochs.
[[nodiscard]] int distill_looks(const DistillOptions& options, int epochs);

/// One epoch. What was not looked at is NaN.
struct DistillResult {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  int epoch = 0;                                            ///< from 1
  double learning_rate = 0;                                 ///< at its end
  double feature_error = 0, divergence = 0, agreement = 0;  ///< means over its views
  double held_out_feature_error = kUnknown, held_out_divergence = kUnknown,
         held_out_agreement = kUnknown;  ///< on the plain views of the pictures held out
  double probe = kUnknown;               ///< what DistillSpec::probe says of the student
  double seconds = 0;
};

struct DistillSpec {
  const Teacher* teacher = nullptr;  ///< its features take pictures of teacher_view
  const Network* student = nullptr;  ///< pixels → features, as many as the teacher's
  Preprocessing teacher_view, student_view;
  std::span<const StoredPicture> pictures;  ///< to learn from; each could be read
  std::span<const StoredPicture> held_out;  ///< to look at; may be empty
  DistillOptions options;
  /// Judges the student in its own way, at each look; may be empty. A function of the network
  /// alone.
  std::function<double(const Network& student)> probe;
};

/// Where a distillation is: two in the same state end in the same bits.
struct DistillState {
  std::int64_t step = 0;
  std::vector<float> parameters, statistics;
  std::int64_t optimizer_steps = 0;
  std::vector<std::pair<std::string, std::vector<float>>> optimizer;
  std::vector<float> average_parameters, average_statistics;
  double feature_error = 0, divergence = 0;  ///< sums over this epoch's views so far
  std::int64_t agreeing = 0, seen = 0;
  std::vector<DistillResult> history;
};

/// A student learns from a teacher's features and answers on views of pictures without labels: the
/// very same crop and mixture goes to both. Batch norm is trained with it.
///
/// Views are drawn from Rng(seed, view, picture's content). The result has the same bits for any
/// number of threads, and for any number of interruptions that state() and restore() bridge.
class Distiller {
 public:
  /// Throws Error(kUsage) for options out of range and parts that do not fit each other. Everything
  /// that spec points to must outlive this.
  Distiller(const DistillSpec& spec, ThreadPool& pool);
  ~Distiller();

  [[nodiscard]] bool finished() const;
  /// One batch; at the end of an epoch its result, and now and then a look at the pictures held
  /// out. Throws Error(kBadInput) when the loss or the gradient is not a number, Error(kUsage) when
  /// finished().
  void step();

  [[nodiscard]] std::int64_t steps_done() const;
  [[nodiscard]] std::int64_t steps_in_all() const;
  [[nodiscard]] std::int64_t steps_per_epoch() const;
  /// In all.
  [[nodiscard]] int epochs() const;
  [[nodiscard]] int batch() const;
  /// Whether the last epoch ended with a look, though there may have been nothing to look at.
  [[nodiscard]] bool looked() const;
  /// Judges the student as it is now, as at a look: only that is in the result.
  [[nodiscard]] DistillResult look() const;
  /// That the looks behind epochs have taken in this process.
  [[nodiscard]] double seconds_looking() const;
  /// Of the epoch at hand, so far, or the last one.
  [[nodiscard]] double running_loss() const;
  [[nodiscard]] double running_agreement() const;
  [[nodiscard]] const std::vector<DistillResult>& history() const;

  /// The student as it is kept: the moving average.
  [[nodiscard]] Network student() const;

  [[nodiscard]] const ParameterLayout& parameters() const;
  [[nodiscard]] const ParameterLayout& statistics() const;
  [[nodiscard]] DistillState state() const;
  /// Throws Error(kBadInput) for a state of another distillation.
  void restore(DistillState state);

  /// Another length, which has no say in what was done so far. Throws Error(kUsage) once the rate
  /// has begun to fall, by the old length or the new, and for a length that is done already.
  void set_epochs(int epochs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Bytes that distilling takes at most, beside pictures and remembered answers.
[[nodiscard]] std::size_t distilling_memory(const Network& student, const DistillOptions& options,
                                            ThreadPool& pool);

}  // namespace engraft
