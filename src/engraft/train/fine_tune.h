#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engraft/base/thread_pool.h"
#include "engraft/engine/training/gradient_runner.h"
#include "engraft/graph/surgery.h"
#include "engraft/image/augment.h"
#include "engraft/image/preprocessing.h"
#include "engraft/train/boundary_cache.h"
#include "engraft/train/head.h"
#include "engraft/train/optimizer.h"
#include "engraft/train/picture_source.h"
#include "engraft/train/schedule.h"

namespace engraft {

/// What is done about classes with few pictures.
enum class Balance {
  kNone,
  kWeights,  ///< a picture of class c counts n / (classes · n_c)
  kSampling  ///< every class is drawn equally often, with replacement
};

struct FineTuneOptions {
  std::string from = "last";  ///< the first layer that is trained: first_trained_node()
  int epochs = 8;
  int batch = 32;
  int micro_batch = 4;  ///< pictures that go through the network together
  OptimizerKind optimizer = OptimizerKind::kAdamw;
  float learning_rate = 3e-4f;
  float momentum = 0.9f;  ///< kSgd, kNesterov
  float weight_decay = 0.05f;
  float layer_decay = 1;  ///< learning rate: times this for each block further from the head
  ScheduleKind schedule = ScheduleKind::kCosine;
  float warmup = 0.1f;
  float clip = 0;                      ///< largest norm of the gradient; 0: any
  LossKind loss = LossKind::kSoftmax;  ///< the one that the network's head was made for
  float label_smoothing = 0.1f;
  float ema = 0;  ///< decay of the moving average of the weights that is kept; 0: none
  BatchNormMode batch_norm = BatchNormMode::kFrozen;
  float statistics_momentum = 0.99f;  ///< of a trainable batch norm
  Augmentation augmentation = augmentation_of(AugmentationPreset::kLight);
  Balance balance = Balance::kNone;
  int patience = 0;  ///< as in TrainOptions
  Keep keep = Keep::kBestEpoch;
  std::uint64_t seed = 0;
};

/// Throws Error(kUsage) for a value out of its range, naming it.
void check(const FineTuneOptions& options);

/// Pictures with labels: positions in a PictureSource.
struct LabelledPictures {
  std::span<const std::size_t> pictures;
  std::span<const int> labels;  ///< of each
};

struct FineTuneSpec {
  const Network* network = nullptr;  ///< pixels → probabilities: softmax or sigmoid at its end
  Preprocessing preprocessing;
  PictureSource* source = nullptr;
  LabelledPictures train, validation;
  FineTuneOptions options;
  BoundaryCache* boundaries = nullptr;  ///< shared by trainings on one source; null: none
  /// Other trainings on the source see the same views of its pictures, as folds do.
  bool views_return = false;
  std::stop_token stop = {};  ///< cuts a look at the validation pictures short
};

/// Where a training is, and everything that its rest depends on: two trainings in the same state
/// end in the same bits.
struct FineTuneState {
  std::int64_t step = 0;  ///< steps done
  std::vector<float> parameters, statistics;
  std::int64_t optimizer_steps = 0;
  std::vector<std::pair<std::string, std::vector<float>>> optimizer;
  std::int64_t ema_steps = 0;
  std::vector<float> ema;  ///< empty without one
  double loss = 0;         ///< sums over this epoch's pictures so far
  std::size_t correct = 0, pictures = 0;
  /// One epoch short where the look at the validation pictures was cut short: the next step() is
  /// that look.
  std::vector<EpochResult> history;
  int best_epoch = 0;
  std::vector<float> best_parameters, best_statistics;  ///< empty until an epoch is over
};

/// What one batch came to.
struct BatchResult {
  float loss = 0;            ///< mean over its pictures
  double gradient_norm = 0;  ///< before clipping; NaN where the loss is not finite
  [[nodiscard]] bool finite() const { return std::isfinite(loss) && std::isfinite(gradient_norm); }
};

/// Trains a network, or its part from some layer on, by back-propagation.
///
/// Each epoch every picture is seen once, in a view of its own, drawn from Rng(seed, epoch,
/// picture's content). The result has the same bits for any number of threads, and for any number
/// of interruptions between two steps that are bridged by state() and restore().
class FineTuner {
 public:
  /// Throws Error(kUsage) for options out of range and layers that the network does not have.
  /// Everything that spec points to must outlive this.
  FineTuner(const FineTuneSpec& spec, ThreadPool& pool);
  ~FineTuner();

  [[nodiscard]] bool finished() const;
  /// One batch; at the end of an epoch also a look at the validation pictures, which a stop cuts
  /// short: the epoch then stays open until the next step() or restore()'s. Throws Error(kBadInput)
  /// when loss, gradient or what an epoch has made of the weights is not a number, naming epoch,
  /// rate and ways out; Error(kUsage) when finished().
  void step();
  /// step() at the caller's rate in place of the schedule's, and at whatever step. Where the result
  /// is not finite(), nothing is thrown and no weight is changed: the step has not been done.
  BatchResult step_at(float rate);

  [[nodiscard]] std::int64_t steps_done() const;
  [[nodiscard]] std::int64_t steps_in_all() const;  ///< if it is not stopped early
  [[nodiscard]] std::int64_t steps_per_epoch() const;
  [[nodiscard]] std::size_t pictures_per_epoch() const;
  [[nodiscard]] int batch() const;
  /// Of the epoch at hand, so far; NaN before its first step.
  [[nodiscard]] float running_loss() const;
  [[nodiscard]] float running_accuracy() const;
  [[nodiscard]] const std::vector<EpochResult>& history() const;
  [[nodiscard]] int best_epoch() const;

  /// The network with the weights that are kept: of the best epoch, or as they are now.
  [[nodiscard]] Network network() const;
  /// The network as it is now (its moving average, where one is kept).
  [[nodiscard]] Network last_network() const;
  /// Probabilities [pictures, classes] of network() for the plain views of pictures. Throws
  /// Error(kCancelled) on a stop.
  [[nodiscard]] Tensor predict(std::span<const std::size_t> pictures);

  /// What lies where in the state's arrays.
  [[nodiscard]] const ParameterLayout& parameters() const;
  [[nodiscard]] const ParameterLayout& statistics() const;
  [[nodiscard]] FineTuneState state() const;
  /// Throws Error(kBadInput) for a state of another training.
  void restore(FineTuneState state);

  /// Parameters that are trained.
  [[nodiscard]] std::size_t trained_parameters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Bytes that training such a network takes at most, beside pictures: workspaces, gradients, and
/// the weights with all that an optimizer and checkpoints keep of them.
[[nodiscard]] std::size_t training_memory(const Network& network, const FineTuneOptions& options,
                                          ThreadPool& pool);

}  // namespace engraft
