#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engraft/graph/surgery.h"
#include "engraft/tensor/tensor.h"
#include "engraft/train/optimizer.h"
#include "engraft/train/schedule.h"

namespace engraft {

enum class HeadKind {
  kLinear,  ///< dropout, dense
  kMlp,     ///< dense 256, ReLU, dropout, dense
};
enum class LossKind {
  kSoftmax,  ///< cross-entropy over the classes
  kSigmoid,  ///< binary cross-entropy; with two classes one unit, with more one a class against the
             ///< rest
};
/// "linear", "mlp"; "softmax", "sigmoid": as in options and metadata.
[[nodiscard]] std::string_view name_of(HeadKind head);
[[nodiscard]] std::string_view name_of(LossKind loss);

/// Whose weights a training returns. An epoch chosen on pictures that then judge it flatters;
/// cross-validation therefore keeps the last.
enum class Keep {
  kBestEpoch /* lowest validation loss; the last where there is no validation */,
  kLastEpoch
};

/// The defaults were chosen for a linear head on the 1280 pooled features of MobileNetV2 1.0/224,
/// the last epoch kept. The pictures were cropped to the centre and resized by the antialiased
/// bilinear filter, where load_model() now gives such weights the plain one; figures are mean ±
/// deviation over seeds:
///   street photos, the 228 distinct ones of 234 files, 2 classes, five folds, 10 seeds:
///                                                             97.9 ± 0.4 % right
///   hymenoptera, 245 to train, 153 to test, 10 seeds:         98.6 % (98.0 at worst)
///   flowers, 5 classes of about 100, five folds, 4 seeds:     87.4 ± 0.7 %
/// They lie on a plateau: rates 1e-3…5e-3, decays 2…10, 30…100 epochs, batches of 16…64 and dropout
/// 0…0.5 are all within half a point of that. Without decay streets and flowers lose 0.3, and
/// the logarithmic loss rises by a tenth and more.
struct TrainOptions {
  HeadKind head = HeadKind::kLinear;
  int hidden = 256;      ///< kMlp
  float dropout = 0.2f;  ///< kMlp's own default in the tutorial is 0.5: the command line sets it
  LossKind loss = LossKind::kSoftmax;
  float label_smoothing = 0;  ///< target = (1-s)·onehot + s/classes
  bool balance = false;       ///< weight of class c: n / (classes · n_c)
  OptimizerKind optimizer = OptimizerKind::kAdamw;
  float learning_rate = 2e-3f;
  float momentum = 0.9f;  ///< kSgd, kNesterov
  /// Kernels only. The default is for decoupled decay, each step taking rate·decay of the weights;
  /// kAdam's is a penalty in the gradient, where 0 to 0.01 is usual.
  float weight_decay = 5;
  ScheduleKind schedule = ScheduleKind::kCosine;  ///< from learning_rate at its peak
  float warmup = 0.05f;                           ///< share of all steps; not for kOneCycle
  int epochs = 50;
  int batch = 32;
  /// Epochs without a lower validation loss before stopping; 0: never stop early. Stopping chooses
  /// an epoch too: without validation rows, and with kLastEpoch, all epochs are run.
  int patience = 0;
  Keep keep = Keep::kBestEpoch;
  std::uint64_t seed = 0;
};

/// One row of results.csv.
struct EpochResult {
  int epoch = 0;                             ///< from 1
  float learning_rate = 0;                   ///< at its end
  float train_loss = 0, train_accuracy = 0;  ///< over the epoch's batches, dropout on
  float val_loss = 0, val_accuracy = 0;      ///< NaN without validation pictures
  double seconds = 0;
};

/// Labelled rows of features: values [n · views, F], labels [n]. Row r belongs to picture r /
/// views; in an epoch each picture is used once, in one of its views.
struct LabelledFeatures {
  const Tensor* values = nullptr;
  std::span<const std::size_t> pictures;  ///< the pictures to use, as row groups of values
  std::span<const int> labels;            ///< of each entry of pictures
  int views = 1;
};

struct TrainedHead {
  Network head;  ///< input [F], output probabilities [classes]: ready to graft
  std::vector<EpochResult> history;
  /// Whose weights these are: with kBestEpoch and validation rows, the first epoch of the lowest
  /// validation loss; else the last epoch.
  int best_epoch = 0;
};

/// Trains a head on features. Same bits for equal input, whatever the machine's thread count: one
/// thread, sums in a fixed order. Without validation rows, and with kLastEpoch, it runs all epochs
/// and keeps the last. Features are centred and scaled with the training rows' statistics while
/// training, and this is folded into the first dense layer at the end (train/standardiser.h). A
/// linear head starts from zero, an mlp from Glorot's uniform distribution. Throws Error(kBadInput)
/// when the loss becomes NaN or infinite, naming epoch and rate, Error(kUsage) for options out of
/// range or sizes that disagree, Error(kCancelled) on a stop.
[[nodiscard]] TrainedHead train_head(const LabelledFeatures& train,
                                     const LabelledFeatures& validation, int classes,
                                     const TrainOptions& options,
                                     const std::function<void(const EpochResult&)>& on_epoch = {},
                                     const std::stop_token& stop = {});

/// Probabilities [rows, classes] of a head for rows of features.
[[nodiscard]] Tensor apply_head(const Network& head, const Tensor& features);

}  // namespace engraft
