#include "engraft/train/head_trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engraft/base/rng.h"

namespace engraft {
namespace {

// Streams of Rng beside the epochs' own, which number the dropout masks.
constexpr std::uint64_t kRowShuffleStream = std::uint64_t{1} << 32;
constexpr std::uint64_t kViewStream = std::uint64_t{2} << 32;
constexpr std::uint64_t kInitialStream = std::uint64_t{3} << 32;

/// Rows that validation holds in memory at a time.
constexpr std::size_t kValidationRows = 64;

/// Glorot & Bengio 2010, uniform, as Keras' default: ±√(6/(in+out)); the bias is 0.
void initialise(DenseParameters<float>& layer, Rng rng) {
  const float limit = std::sqrt(6.0f / static_cast<float>(layer.shape.in + layer.shape.out));
  for (float& w : layer.kernel) w = rng.uniform(-limit, limit);
}

/// Inverted dropout: 0 with probability `rate`, else 1/(1-rate). 16 random bits a value: the rate
/// is met within 1/65536.
void draw_mask(Rng rng, float rate, std::span<float> mask) {
  const auto dropped = static_cast<std::uint32_t>(std::lround(static_cast<double>(rate) * 65536));
  const float kept = 1 / (1 - rate);
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    bits = i % 2 == 0 ? rng.next_u32() : bits >> 16;
    mask[i] = (bits & 0xffff) < dropped ? 0.0f : kept;
  }
}

/// n / (classes · n_c) for each class; 1 for all when they are not to be balanced. A class without
/// pictures needs none.
std::vector<float> weights_of_classes(std::span<const int> labels, int classes, bool balance) {
  std::vector<float> weights(static_cast<std::size_t>(classes), 1.0f);
  if (!balance) return weights;
  std::vector<double> counts(weights.size());
  for (const int label : labels) ++counts[static_cast<std::size_t>(label)];
  for (std::size_t c = 0; c < weights.size(); ++c) {
    if (counts[c] > 0) {
      weights[c] = static_cast<float>(static_cast<double>(labels.size()) / (classes * counts[c]));
    }
  }
  return weights;
}

/// Every view of the training pictures.
std::vector<std::size_t> rows_of(const LabelledFeatures& features) {
  const auto views = static_cast<std::size_t>(features.views);
  std::vector<std::size_t> rows;
  rows.reserve(features.pictures.size() * views);
  for (const std::size_t picture : features.pictures) {
    for (std::size_t view = 0; view < views; ++view) rows.push_back(picture * views + view);
  }
  return rows;
}

std::span<const float> row_of(const LabelledFeatures& features, std::size_t row) {
  return features.values->row(static_cast<std::int64_t>(row));
}

}  // namespace

HeadTrainer::HeadTrainer(const LabelledFeatures& train, const LabelledFeatures& validation,
                         int classes, const TrainOptions& options)
    : train_(train),
      validation_(validation),
      classes_(classes),
      options_(options),
      standardiser_(Standardiser::fit(*train.values, rows_of(train))),
      class_weights_(weights_of_classes(train.labels, classes, options.balance)) {
  const auto batch = static_cast<std::size_t>(options.batch);
  const auto batches = static_cast<std::int64_t>((train.pictures.size() + batch - 1) / batch);
  schedule_ = {.kind = options.schedule,
               .peak = options.learning_rate,
               .warmup = options.warmup,
               .total = batches * options.epochs};
  make_layers();
  make_optimizers();
}

void HeadTrainer::make_layers() {
  const auto features = static_cast<std::size_t>(train_.values->shape()[1]);
  const bool one_unit = options_.loss == LossKind::kSigmoid && classes_ == 2;
  const std::size_t outputs = one_unit ? 1 : static_cast<std::size_t>(classes_);
  std::size_t in = features;
  if (options_.head == HeadKind::kMlp) {
    in = static_cast<std::size_t>(options_.hidden);
    layers_.emplace_back(DenseShape{.in = features, .out = in});
  }
  layers_.emplace_back(DenseShape{.in = in, .out = outputs});
  gradients_ = layers_;
  // A single layer is a convex problem and needs no random start; what the data say nothing about
  // then stays 0 instead of noise.
  if (layers_.size() == 1) return;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    initialise(layers_[i], Rng(options_.seed, kInitialStream, i));
  }
}

void HeadTrainer::make_optimizers() {
  for (const auto& layer : layers_) {
    for (const std::size_t size : {layer.kernel.size(), layer.bias.size()}) {
      optimizers_.emplace_back(
          OptimizerSpec{.kind = options_.optimizer, .size = size, .momentum = options_.momentum});
    }
  }
}

EpochResult HeadTrainer::run_epoch(int epoch) {
  // Positions in train_.pictures, so that a label stays beside its picture.
  std::vector<std::size_t> order(train_.pictures.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Rng(options_.seed, kRowShuffleStream + static_cast<std::uint64_t>(epoch))
      .shuffle(std::span<std::size_t>(order));

  EpochResult result{.epoch = epoch};
  Tally tally;
  const auto size = static_cast<std::size_t>(options_.batch);
  for (std::size_t begin = 0; begin < order.size(); begin += size) {
    result.learning_rate = schedule_.rate(step_++);
    train_batch(std::span(order).subspan(begin, std::min(size, order.size() - begin)), epoch,
                tally);
    update(result.learning_rate);
  }
  const auto mean = [](double sum, std::size_t n) {
    return n == 0 ? std::numeric_limits<float>::quiet_NaN()
                  : static_cast<float>(sum / static_cast<double>(n));
  };
  result.train_loss = mean(tally.loss, tally.pictures);
  result.train_accuracy = mean(static_cast<double>(tally.correct), tally.pictures);
  const Tally validation = validate();
  result.val_loss = mean(validation.loss, validation.pictures);
  result.val_accuracy = mean(static_cast<double>(validation.correct), validation.pictures);
  return result;
}

void HeadTrainer::train_batch(std::span<const std::size_t> batch, int epoch, Tally& tally) {
  const std::size_t features = standardiser_.mean.size();
  const std::size_t hidden = layers_.size() == 2 ? layers_[0].shape.out : 0;
  const bool drops = options_.dropout > 0;
  x_.resize(batch.size() * features);
  mask_.resize(drops ? batch.size() * (hidden > 0 ? hidden : features) : 0);
  weights_.resize(batch.size());
  labels_.resize(batch.size());
  for (std::size_t b = 0; b < batch.size(); ++b) {
    const std::size_t picture = train_.pictures[batch[b]];
    const std::size_t row = picture * static_cast<std::size_t>(train_.views);
    standardiser_.apply(row_of(train_, row + view_of(picture, epoch)),
                        std::span(x_).subspan(b * features, features));
    labels_[b] = train_.labels[batch[b]];
    weights_[b] = class_weights_[static_cast<std::size_t>(labels_[b])];
    if (drops) {
      const std::size_t width = mask_.size() / batch.size();
      draw_mask(Rng(options_.seed, static_cast<std::uint64_t>(epoch), picture), options_.dropout,
                std::span(mask_).subspan(b * width, width));
    }
  }
  std::span<const float> hidden_mask = mask_;
  if (hidden == 0) {
    for (std::size_t i = 0; i < mask_.size(); ++i) x_[i] *= mask_[i];
    hidden_mask = {};
  }
  const float share = 1 / static_cast<float>(batch.size());
  for (float& weight : weights_) weight *= share;
  head_forward<float>(layers_, x_, hidden_mask, activations_);
  const LossSpec spec{.kind = options_.loss, .label_smoothing = options_.label_smoothing};
  const float loss = head_loss<float>(spec, labels_, weights_, activations_);
  head_backward<float>(layers_, x_, hidden_mask, activations_, gradients_);
  count(labels_, static_cast<double>(loss) * static_cast<double>(batch.size()), tally);
}

void HeadTrainer::update(float rate) {
  const auto step = [&](Optimizer& optimizer, std::vector<float>& w, const std::vector<float>& g,
                        float decay) {
    optimizer.step(w, g, {.learning_rate = rate, .weight_decay = decay});
  };
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    step(optimizers_[2 * i], layers_[i].kernel, gradients_[i].kernel, options_.weight_decay);
    step(optimizers_[2 * i + 1], layers_[i].bias, gradients_[i].bias, 0);
  }
}

HeadTrainer::Tally HeadTrainer::validate() {
  Tally tally;
  const std::size_t features = standardiser_.mean.size();
  const std::size_t n = validation_.pictures.size();
  for (std::size_t begin = 0; begin < n; begin += kValidationRows) {
    const std::size_t rows = std::min(kValidationRows, n - begin);
    x_.resize(rows * features);
    for (std::size_t b = 0; b < rows; ++b) {
      const std::size_t row =
          validation_.pictures[begin + b] * static_cast<std::size_t>(validation_.views);
      standardiser_.apply(row_of(validation_, row), std::span(x_).subspan(b * features, features));
    }
    const auto labels = validation_.labels.subspan(begin, rows);
    weights_.assign(rows, 1.0f);
    head_forward<float>(layers_, x_, {}, activations_);
    const LossSpec spec{.kind = options_.loss, .label_smoothing = options_.label_smoothing};
    const float loss = head_loss<float>(spec, labels, weights_, activations_);
    count(labels, static_cast<double>(loss), tally);
  }
  return tally;
}

/// Each picture goes round its views in turn, from a first one of its own.
std::size_t HeadTrainer::view_of(std::size_t picture, int epoch) const {
  if (train_.views == 1) return 0;
  const auto views = static_cast<std::uint32_t>(train_.views);
  const std::uint32_t first = Rng(options_.seed, kViewStream, picture).below(views);
  return (first + static_cast<std::uint32_t>(epoch)) % views;
}

bool HeadTrainer::is_correct(std::span<const float> logits, int label) const {
  if (logits.size() == 1) return (logits[0] > 0 ? 1 : 0) == label;
  return std::max_element(logits.begin(), logits.end()) - logits.begin() == label;
}

void HeadTrainer::count(std::span<const int> labels, double loss, Tally& tally) const {
  const std::size_t units = activations_.logits.size() / labels.size();
  for (std::size_t b = 0; b < labels.size(); ++b) {
    tally.correct +=
        is_correct(std::span(activations_.logits).subspan(b * units, units), labels[b]);
  }
  tally.loss += loss;
  tally.pictures += labels.size();
}

HeadLayers<float> HeadTrainer::layers() const {
  HeadLayers<float> result = layers_;
  result.front() = standardiser_.fold_into(layers_.front());
  return result;
}

}  // namespace engraft
