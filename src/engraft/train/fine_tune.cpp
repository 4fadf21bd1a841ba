#include "engraft/train/fine_tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "engraft/base/error.h"
#include "engraft/engine/batch_runner.h"
#include "engraft/image/mix.h"
#include "engraft/train/clip.h"
#include "engraft/train/ema.h"
#include "engraft/train/freeze.h"
#include "engraft/train/loss.h"
#include "engraft/train/parameter_groups.h"

namespace engraft {
namespace {

// Streams of Rng beside the epochs' own, which number the views.
constexpr std::uint64_t kShuffleStream = std::uint64_t{1} << 32;
constexpr std::uint64_t kDropoutStream = std::uint64_t{2} << 32;
constexpr std::uint64_t kMixStream = std::uint64_t{3} << 32;
constexpr std::uint64_t kPartnerStream = std::uint64_t{4} << 32;

/// Parameters that a worker updates at a time.
constexpr std::size_t kUpdateSlice = 1 << 15;

constexpr std::uint64_t kPlainView = 0;

void require(bool holds, const std::string& what) {
  if (!holds) throw Error(ErrorKind::kUsage, what);
}

/// The graph up to its last activation, which the loss takes care of.
Graph without_last(const Graph& graph) {
  const Node* last = nullptr;
  for (const Node& node : graph.nodes()) {
    if (node.output == graph.output()) last = &node;
  }
  if (!last || (last->op != Op::kSoftmax && last->op != Op::kSigmoid)) {
    throw Error(ErrorKind::kUsage,
                "the network does not end in a softmax or sigmoid; it needs a head to be trained");
  }
  return cut_at(graph, last->inputs[0]);
}

std::vector<float> class_weights(std::span<const int> labels, std::size_t classes,
                                 Balance balance) {
  std::vector<float> weights(classes, 1.0f);
  if (balance != Balance::kWeights) return weights;
  std::vector<double> counts(classes);
  for (const int label : labels) ++counts[static_cast<std::size_t>(label)];
  for (std::size_t c = 0; c < classes; ++c) {
    if (counts[c] > 0) {
      weights[c] = static_cast<float>(static_cast<double>(labels.size()) /
                                      (static_cast<double>(classes) * counts[c]));
    }
  }
  return weights;
}

float mean(double sum, std::size_t n) {
  return n == 0 ? std::numeric_limits<float>::quiet_NaN()
                : static_cast<float>(sum / static_cast<double>(n));
}

/// Sums over the pictures seen.
struct Tally {
  double loss = 0;
  std::size_t correct = 0, pictures = 0;
};

/// One picture of a batch: an entry of the training pictures, and what is mixed into it.
struct Draw {
  std::size_t entry = 0;
  Mix mix;
  std::size_t partner = 0;  ///< entry
};

}  // namespace

void check(const FineTuneOptions& o) {
  require(o.epochs >= 1 && o.epochs <= 100'000, fmt::format("{} epochs; 1 to 100000", o.epochs));
  require(o.batch >= 1 && o.batch <= 65536, fmt::format("a batch of {}; 1 to 65536", o.batch));
  require(o.micro_batch >= 1 && o.micro_batch <= 1024,
          fmt::format("a micro-batch of {}; 1 to 1024", o.micro_batch));
  require(o.learning_rate > 0 && o.learning_rate <= 100,
          fmt::format("a learning rate of {:g}; above 0, up to 100", o.learning_rate));
  require(o.weight_decay >= 0 && o.weight_decay * o.learning_rate < 1,
          fmt::format("a weight decay of {:g}; from 0 to less than 1 / rate", o.weight_decay));
  require(o.layer_decay > 0 && o.layer_decay <= 1,
          fmt::format("a layer decay of {:g}; above 0, up to 1", o.layer_decay));
  require(o.clip >= 0, fmt::format("a gradient norm of {:g}; 0 (any) or more", o.clip));
  require(o.label_smoothing >= 0 && o.label_smoothing < 1,
          fmt::format("a label smoothing of {:g}; from 0 to less than 1", o.label_smoothing));
  require(o.ema >= 0 && o.ema < 1,
          fmt::format("an averaging decay of {:g}; from 0 to less than 1", o.ema));
  require(o.statistics_momentum >= 0 && o.statistics_momentum < 1,
          fmt::format("a momentum of the statistics of {:g}; from 0 to less than 1",
                      o.statistics_momentum));
  require(o.patience >= 0, fmt::format("a patience of {}; 0 (never stop) or more", o.patience));
  check(o.augmentation);
}

struct FineTuner::Impl {
  Impl(const FineTuneSpec& given, ThreadPool& threads);

  void check_spec() const;
  void make_groups();
  [[nodiscard]] int epoch() const { return static_cast<int>(step_ / per_epoch_) + 1; }
  [[nodiscard]] std::vector<std::size_t> order_of(int epoch) const;
  [[nodiscard]] std::vector<Draw> draw_batch();
  void run_gradient(std::span<const Draw> batch, Tally& tally);
  void fill(const Draw& draw, std::span<float> input);
  void fill_view(std::size_t entry, std::uint64_t view, std::span<float> input);
  void fill_boundaries(std::span<const Draw> batch);
  [[nodiscard]] double loss_of(const Draw& draw, std::span<const float> logits,
                               std::span<float> d_logits) const;
  [[nodiscard]] double loss_of(int label, std::span<const float> logits,
                               std::span<float> probabilities, std::span<float> d_logits) const;
  void update(float rate);
  void end_epoch(float rate);
  void keep_if_best();
  void validate(EpochResult& result);
  [[noreturn]] void diverged(const char* what, float rate) const;
  [[nodiscard]] Network network_of(std::span<const float> parameters,
                                   std::span<const float> statistics) const;
  [[nodiscard]] std::span<const float> current_parameters() const {
    return ema_ ? std::as_const(*ema_).average() : std::span<const float>(parameters_);
  }
  [[nodiscard]] Tensor predict(const Network& network, std::span<const std::size_t> pictures);
  [[nodiscard]] Network trained_part(const Network& network) const;

  FineTuneSpec spec_;
  const FineTuneOptions& options_;
  ThreadPool& pool_;
  Graph whole_;  ///< up to the logits
  FrozenSplit split_;
  GradientRunner runner_;
  std::optional<BatchRunner> frozen_;
  std::size_t classes_ = 0;
  std::vector<float> class_weights_;
  std::vector<std::vector<std::size_t>> by_class_;  ///< entries, for balanced sampling
  std::int64_t per_epoch_ = 1, total_ = 1;
  Schedule schedule_;
  std::vector<ParameterGroup> groups_;

  std::int64_t step_ = 0;
  std::vector<float> parameters_, statistics_, gradient_;
  Optimizer optimizer_;
  std::optional<Ema> ema_;
  Tally tally_;
  std::vector<EpochResult> history_;
  int best_epoch_ = 0;
  std::vector<float> best_parameters_, best_statistics_;
  bool stopped_early_ = false;
  std::chrono::steady_clock::time_point epoch_start_ = std::chrono::steady_clock::now();
  std::vector<float> boundary_;  ///< of the batch at hand, where there is a frozen part
};

FineTuner::Impl::Impl(const FineTuneSpec& given, ThreadPool& threads)
    : spec_((check(given.options), given)),
      options_(spec_.options),
      pool_(threads),
      whole_(without_last(spec_.network->graph)),
      split_(split_frozen(whole_, first_trained_node(whole_, options_.from))),
      runner_(split_.trained,
              {.plan = {.micro_batch = options_.micro_batch, .batch_norm = options_.batch_norm},
               .statistics_momentum = options_.statistics_momentum},
              threads),
      classes_(static_cast<std::size_t>(whole_.shape(whole_.output()).elements())),
      parameters_(runner_.parameters().gather(spec_.network->weights)),
      statistics_(runner_.statistics().gather(spec_.network->weights)),
      gradient_(parameters_.size()),
      optimizer_(
          {.kind = options_.optimizer, .size = parameters_.size(), .momentum = options_.momentum}) {
  check_spec();
  if (!split_.frozen.nodes().empty()) {
    frozen_.emplace(split_.frozen, spec_.network->weights, pool_);
  }
  class_weights_ = class_weights(spec_.train.labels, classes_, options_.balance);
  by_class_.resize(classes_);
  for (std::size_t i = 0; i < spec_.train.labels.size(); ++i) {
    by_class_[static_cast<std::size_t>(spec_.train.labels[i])].push_back(i);
  }
  std::erase_if(by_class_, [](const auto& entries) { return entries.empty(); });
  const auto pictures = static_cast<std::int64_t>(spec_.train.pictures.size());
  per_epoch_ = (pictures + options_.batch - 1) / options_.batch;
  total_ = per_epoch_ * options_.epochs;
  schedule_ = {.kind = options_.schedule,
               .peak = options_.learning_rate,
               .warmup = options_.warmup,
               .total = total_};
  schedule_.check();
  make_groups();
  if (options_.ema > 0) ema_.emplace(parameters_, options_.ema);
}

void FineTuner::Impl::check_spec() const {
  const auto labels_fit = [&](const LabelledPictures& part) {
    return part.labels.size() == part.pictures.size() &&
           std::ranges::all_of(part.labels, [&](int label) {
             return label >= 0 && static_cast<std::size_t>(label) < classes_;
           });
  };
  require(!spec_.train.pictures.empty(), "there are no pictures to train on");
  require(labels_fit(spec_.train) && labels_fit(spec_.validation),
          fmt::format("labels that do not fit {} classes", classes_));
  const Shape expected{spec_.preprocessing.height, spec_.preprocessing.width, 3};
  require(whole_.shape(whole_.input()) == expected,
          fmt::format("the network takes {} and the preprocessing gives {}",
                      whole_.shape(whole_.input()).to_string(), expected.to_string()));
}

void FineTuner::Impl::make_groups() {
  groups_ =
      make_parameter_groups(runner_.parameters(), depths_of(split_.trained), options_.layer_decay);
  const auto& slots = runner_.parameters().slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (std::ranges::find(split_.held, slots[i].name) != split_.held.end()) {
      groups_[i].rate_scale = 0;
    }
  }
}

/// Entries of the training pictures in the order of an epoch.
std::vector<std::size_t> FineTuner::Impl::order_of(int epoch) const {
  Rng rng(options_.seed, kShuffleStream + static_cast<std::uint64_t>(epoch));
  std::vector<std::size_t> order(spec_.train.pictures.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (options_.balance == Balance::kSampling) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto& entries = by_class_[i % by_class_.size()];
      order[i] = entries[rng.below(static_cast<std::uint32_t>(entries.size()))];
    }
  }
  rng.shuffle(std::span<std::size_t>(order));
  return order;
}

std::vector<Draw> FineTuner::Impl::draw_batch() {
  const int now = epoch();
  const std::vector<std::size_t> order = order_of(now);
  const auto size = static_cast<std::size_t>(options_.batch);
  const std::size_t begin = static_cast<std::size_t>(step_ % per_epoch_) * size;
  const std::size_t end = std::min(begin + size, order.size());
  std::vector<Draw> batch;
  for (std::size_t i = begin; i < end; ++i) {
    Rng rng(options_.seed, kMixStream + static_cast<std::uint64_t>(now), i);
    Draw draw{.entry = order[i],
              .mix = draw_mix(options_.augmentation,
                              {spec_.preprocessing.width, spec_.preprocessing.height}, rng),
              .partner = 0};
    draw.partner = static_cast<std::size_t>(draw.mix.partner % spec_.train.pictures.size());
    batch.push_back(draw);
  }
  return batch;
}

/// A view of a training picture; 0 is the plain one, others are drawn.
void FineTuner::Impl::fill_view(std::size_t entry, std::uint64_t view, std::span<float> input) {
  const auto picture = spec_.source->picture(spec_.train.pictures[entry]);
  const Image image = augment(picture->image, spec_.preprocessing, options_.augmentation,
                              Rng(options_.seed, view, picture->content.leading_bits()));
  normalise(image, spec_.preprocessing, input);
}

void FineTuner::Impl::fill(const Draw& draw, std::span<float> input) {
  const auto now = static_cast<std::uint64_t>(epoch());
  fill_view(draw.entry, now, input);
  if (draw.mix.kind == Mix::Kind::kNone) return;
  std::vector<float> second(input.size());
  fill_view(draw.partner, kPartnerStream + now, second);
  apply_mix(draw.mix, input, second, {spec_.preprocessing.width, spec_.preprocessing.height});
}

/// What the frozen part makes of a batch, computed or remembered.
void FineTuner::Impl::fill_boundaries(std::span<const Draw> batch) {
  const auto size =
      static_cast<std::size_t>(split_.frozen.shape(split_.frozen.output()).elements());
  boundary_.resize(batch.size() * size);
  const auto place = [&](std::size_t i) { return std::span(boundary_).subspan(i * size, size); };
  const auto key = [&](std::size_t i) {
    return BoundaryCache::Key{.view = static_cast<std::uint64_t>(epoch()),
                              .picture = spec_.train.pictures[batch[i].entry]};
  };
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const bool repeats = spec_.boundaries && batch[i].mix.kind == Mix::Kind::kNone;
    if (!repeats || !spec_.boundaries->find(key(i), place(i))) missing.push_back(i);
  }
  frozen_->run(
      missing.size(),
      [&](std::size_t m, std::span<float> input) {
        fill(batch[missing[m]], input);
        return true;
      },
      [&](std::size_t m, std::span<const float> output) {
        const std::size_t i = missing[m];
        std::ranges::copy(output, place(i).begin());
        if (spec_.boundaries && batch[i].mix.kind == Mix::Kind::kNone) {
          spec_.boundaries->put(key(i), output);
        }
      });
}

double FineTuner::Impl::loss_of(int label, std::span<const float> logits,
                                std::span<float> probabilities, std::span<float> d_logits) const {
  const float smoothing = options_.label_smoothing;
  return options_.loss == LossKind::kSoftmax
             ? loss::softmax_cross_entropy(logits, label, smoothing, probabilities, d_logits)
             : loss::sigmoid_cross_entropy(logits, label, smoothing, probabilities, d_logits);
}

/// The loss of one picture, and its gradient; labels are mixed like the pictures.
double FineTuner::Impl::loss_of(const Draw& draw, std::span<const float> logits,
                                std::span<float> d_logits) const {
  std::vector<float> p(logits.size());
  const int label = spec_.train.labels[draw.entry];
  const float weight = class_weights_[static_cast<std::size_t>(label)];
  double value = weight * loss_of(label, logits, p, d_logits);
  for (float& d : d_logits) d *= weight;
  if (draw.mix.kind == Mix::Kind::kNone) return value;
  std::vector<float> d_second(logits.size());
  const int second = spec_.train.labels[draw.partner];
  const float second_weight = class_weights_[static_cast<std::size_t>(second)];
  value = draw.mix.share * value +
          (1 - draw.mix.share) * second_weight * loss_of(second, logits, p, d_second);
  for (std::size_t k = 0; k < d_logits.size(); ++k) {
    d_logits[k] = draw.mix.share * d_logits[k] + (1 - draw.mix.share) * second_weight * d_second[k];
  }
  return value;
}

void FineTuner::Impl::run_gradient(std::span<const Draw> batch, Tally& tally) {
  if (frozen_) fill_boundaries(batch);
  const std::size_t boundary_size = boundary_.size() / batch.size();
  std::vector<double> losses(batch.size());
  std::vector<char> correct(batch.size());
  const float share = 1 / static_cast<float>(batch.size());
  const auto now = static_cast<std::uint64_t>(epoch());
  runner_.run(parameters_, statistics_,
              {.pictures = batch.size(),
               .fill =
                   [&](std::size_t i, std::span<float> input) {
                     if (!frozen_) return fill(batch[i], input);
                     std::ranges::copy(
                         std::span(boundary_).subspan(i * boundary_size, boundary_size),
                         input.begin());
                   },
               .loss =
                   [&](std::size_t i, std::span<const float> logits, std::span<float> d_logits) {
                     losses[i] = loss_of(batch[i], logits, d_logits);
                     for (float& d : d_logits) d *= share;
                     const auto best = std::ranges::max_element(logits) - logits.begin();
                     correct[i] = best == spec_.train.labels[batch[i].entry];
                   },
               .dropout =
                   [&](std::size_t i) {
                     return Rng(options_.seed, kDropoutStream + now,
                                static_cast<std::uint64_t>(spec_.train.pictures[batch[i].entry]));
                   }},
              gradient_);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    tally.loss += losses[i];
    tally.correct += static_cast<std::size_t>(correct[i]);
  }
  tally.pictures += batch.size();
}

void FineTuner::Impl::diverged(const char* what, float rate) const {
  throw Error(ErrorKind::kBadInput,
              fmt::format("the {} became infinite or no number in epoch {}, at a learning rate of "
                          "{:g}; try a tenth of the rate, or clip the gradient at 1",
                          what, epoch(), rate));
}

void FineTuner::Impl::update(float rate) {
  const std::size_t size = parameters_.size();
  std::vector<double> sums(norm_blocks(size));
  pool_.for_each(sums.size(), [&](std::size_t b, int) {
    const std::size_t begin = b * kNormBlock;
    sums[b] = sum_of_squares(
        std::span<const float>(gradient_).subspan(begin, std::min(kNormBlock, size - begin)));
  });
  const double norm = norm_of(sums);
  if (!std::isfinite(norm)) diverged("gradient", rate);
  const float factor = options_.clip > 0 ? clip_factor(norm, options_.clip) : 1.0f;
  optimizer_.begin_step();
  if (ema_) ema_->begin_step();
  pool_.for_each((size + kUpdateSlice - 1) / kUpdateSlice, [&](std::size_t slice, int) {
    const ParameterRange range{slice * kUpdateSlice, std::min(size, (slice + 1) * kUpdateSlice)};
    if (factor != 1) {
      scale(std::span(gradient_).subspan(range.begin, range.end - range.begin), factor);
    }
    optimizer_.update(groups_, range, parameters_, gradient_,
                      {.learning_rate = rate, .weight_decay = options_.weight_decay});
    if (ema_) ema_->update(range, parameters_);
  });
}

Network FineTuner::Impl::network_of(std::span<const float> parameters,
                                    std::span<const float> statistics) const {
  Network result = *spec_.network;
  runner_.parameters().scatter(parameters, result.weights);
  runner_.statistics().scatter(statistics, result.weights);
  return result;
}

/// The part behind the boundary, with its activation at the end.
Network FineTuner::Impl::trained_part(const Network& network) const {
  if (!frozen_) return network;
  const std::string& name =
      whole_.name(parting_before(whole_, first_trained_node(whole_, options_.from)));
  return {.graph = part_behind(network.graph, network.graph.find(name)),
          .weights = network.weights};
}

Tensor FineTuner::Impl::predict(const Network& network, std::span<const std::size_t> pictures) {
  Tensor result(
      Shape{static_cast<std::int64_t>(pictures.size()), static_cast<std::int64_t>(classes_)});
  const Network part = trained_part(network);
  const auto plain = [&](std::size_t i, std::span<float> input) {
    const auto picture = spec_.source->picture(pictures[i]);
    normalise(fit(picture->image, spec_.preprocessing), spec_.preprocessing, input);
    return true;
  };
  const auto take = [&](std::size_t i, std::span<const float> output) {
    std::ranges::copy(output, result.row(static_cast<std::int64_t>(i)).begin());
  };
  BatchRunner runner(part.graph, part.weights, pool_);
  if (!frozen_) {
    runner.run(pictures.size(), plain, take);
    return result;
  }
  const auto size =
      static_cast<std::size_t>(split_.frozen.shape(split_.frozen.output()).elements());
  BoundaryCache own(pictures.size() * size * sizeof(float));
  BoundaryCache& cache = spec_.boundaries ? *spec_.boundaries : own;
  constexpr std::size_t kAtATime = 64;
  std::vector<float> boundary(std::min(kAtATime, pictures.size()) * size);
  for (std::size_t begin = 0; begin < pictures.size(); begin += kAtATime) {
    const std::size_t count = std::min(kAtATime, pictures.size() - begin);
    std::vector<std::size_t> missing;
    const auto place = [&](std::size_t i) { return std::span(boundary).subspan(i * size, size); };
    for (std::size_t i = 0; i < count; ++i) {
      const BoundaryCache::Key key{.view = kPlainView, .picture = pictures[begin + i]};
      if (!cache.find(key, place(i))) missing.push_back(i);
    }
    frozen_->run(
        missing.size(),
        [&](std::size_t m, std::span<float> input) { return plain(begin + missing[m], input); },
        [&](std::size_t m, std::span<const float> output) {
          std::ranges::copy(output, place(missing[m]).begin());
          cache.put({.view = kPlainView, .picture = pictures[begin + missing[m]]}, output);
        });
    runner.run(
        count,
        [&](std::size_t i, std::span<float> input) {
          std::ranges::copy(place(i), input.begin());
          return true;
        },
        [&](std::size_t i, std::span<const float> output) { take(begin + i, output); });
  }
  return result;
}

void FineTuner::Impl::validate(EpochResult& result) {
  Tally tally;
  if (!spec_.validation.pictures.empty()) {
    const Tensor probabilities =
        predict(network_of(current_parameters(), statistics_), spec_.validation.pictures);
    for (std::size_t i = 0; i < spec_.validation.pictures.size(); ++i) {
      const auto p = probabilities.row(static_cast<std::int64_t>(i));
      const auto label = static_cast<std::size_t>(spec_.validation.labels[i]);
      constexpr float kSmallest = 1e-12f;
      tally.loss -= std::log(std::max(p[label], kSmallest));
      tally.correct += static_cast<std::size_t>(std::ranges::max_element(p) - p.begin()) == label;
    }
    tally.pictures = spec_.validation.pictures.size();
  }
  result.val_loss = mean(tally.loss, tally.pictures);
  result.val_accuracy = mean(static_cast<double>(tally.correct), tally.pictures);
}

void FineTuner::Impl::keep_if_best() {
  const EpochResult& now = history_.back();
  const bool chooses = options_.keep == Keep::kBestEpoch && !spec_.validation.pictures.empty();
  const bool better = best_epoch_ == 0 ||
                      now.val_loss < history_[static_cast<std::size_t>(best_epoch_) - 1].val_loss;
  if (!chooses || better) {
    best_epoch_ = now.epoch;
    const auto parameters = current_parameters();
    best_parameters_.assign(parameters.begin(), parameters.end());
    best_statistics_ = statistics_;
  }
  stopped_early_ = chooses && options_.patience > 0 && now.epoch - best_epoch_ >= options_.patience;
}

void FineTuner::Impl::end_epoch(float rate) {
  EpochResult result{.epoch = static_cast<int>(step_ / per_epoch_), .learning_rate = rate};
  result.train_loss = mean(tally_.loss, tally_.pictures);
  result.train_accuracy = mean(static_cast<double>(tally_.correct), tally_.pictures);
  validate(result);
  const auto now = std::chrono::steady_clock::now();
  result.seconds = std::chrono::duration<double>(now - epoch_start_).count();
  epoch_start_ = now;
  tally_ = {};
  history_.push_back(result);
  keep_if_best();
}

FineTuner::FineTuner(const FineTuneSpec& spec, ThreadPool& pool)
    : impl_(std::make_unique<Impl>(spec, pool)) {}
FineTuner::~FineTuner() = default;

bool FineTuner::finished() const {
  return impl_->stopped_early_ || impl_->step_ >= impl_->total_;
}

void FineTuner::step() {
  Impl& impl = *impl_;
  const float rate = impl.schedule_.rate(impl.step_);
  const std::vector<Draw> batch = impl.draw_batch();
  impl.run_gradient(batch, impl.tally_);
  if (!std::isfinite(impl.tally_.loss)) impl.diverged("loss", rate);
  impl.update(rate);
  ++impl.step_;
  if (impl.step_ % impl.per_epoch_ == 0) impl.end_epoch(rate);
}

std::int64_t FineTuner::steps_done() const {
  return impl_->step_;
}
std::int64_t FineTuner::steps_in_all() const {
  return impl_->total_;
}
std::int64_t FineTuner::steps_per_epoch() const {
  return impl_->per_epoch_;
}
float FineTuner::running_loss() const {
  return mean(impl_->tally_.loss, impl_->tally_.pictures);
}
float FineTuner::running_accuracy() const {
  return mean(static_cast<double>(impl_->tally_.correct), impl_->tally_.pictures);
}
const std::vector<EpochResult>& FineTuner::history() const {
  return impl_->history_;
}
int FineTuner::best_epoch() const {
  return impl_->best_epoch_;
}
std::size_t FineTuner::memory_bytes() const {
  return impl_->runner_.memory_bytes(static_cast<std::size_t>(impl_->options_.batch));
}

std::size_t FineTuner::trained_parameters() const {
  std::size_t count = 0;
  for (const ParameterGroup& group : impl_->groups_) {
    if (group.rate_scale > 0) count += group.end - group.begin;
  }
  return count;
}

Network FineTuner::network() const {
  if (impl_->best_epoch_ > 0) {
    return impl_->network_of(impl_->best_parameters_, impl_->best_statistics_);
  }
  return impl_->network_of(impl_->current_parameters(), impl_->statistics_);
}

Tensor FineTuner::predict(std::span<const std::size_t> pictures) {
  return impl_->predict(network(), pictures);
}

FineTuneState FineTuner::state() const {
  const Impl& impl = *impl_;
  FineTuneState state{.step = impl.step_,
                      .parameters = impl.parameters_,
                      .statistics = impl.statistics_,
                      .optimizer_steps = impl.optimizer_.steps(),
                      .optimizer = {},
                      .ema_steps = impl.ema_ ? impl.ema_->steps() : 0,
                      .ema = {},
                      .loss = impl.tally_.loss,
                      .correct = impl.tally_.correct,
                      .pictures = impl.tally_.pictures,
                      .history = impl.history_,
                      .best_epoch = impl.best_epoch_,
                      .best_parameters = impl.best_parameters_,
                      .best_statistics = impl.best_statistics_};
  for (const auto& [name, values] : std::as_const(impl.optimizer_).state()) {
    state.optimizer.emplace_back(std::string(name),
                                 std::vector<float>(values.begin(), values.end()));
  }
  if (impl.ema_) {
    const auto average = std::as_const(*impl.ema_).average();
    state.ema.assign(average.begin(), average.end());
  }
  return state;
}

void FineTuner::restore(FineTuneState state) {
  Impl& impl = *impl_;
  const auto fits = [](std::size_t given, std::size_t wanted) {
    if (given != wanted) {
      throw Error(ErrorKind::kBadInput,
                  fmt::format("the checkpoint is of another training: {} values where {} belong",
                              given, wanted));
    }
  };
  fits(state.parameters.size(), impl.parameters_.size());
  fits(state.statistics.size(), impl.statistics_.size());
  fits(state.ema.size(), impl.ema_ ? impl.parameters_.size() : 0);
  fits(state.best_parameters.size(), state.best_epoch > 0 ? impl.parameters_.size() : 0);
  fits(state.best_statistics.size(), state.best_epoch > 0 ? impl.statistics_.size() : 0);
  fits(state.history.size(), static_cast<std::size_t>(state.step / impl.per_epoch_));
  const auto slots = impl.optimizer_.state();
  fits(state.optimizer.size(), slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    fits(state.optimizer[i].second.size(), slots[i].second.size());
  }
  if (state.step < 0 || state.step > impl.total_ || state.best_epoch < 0 ||
      static_cast<std::size_t>(state.best_epoch) > state.history.size()) {
    throw Error(ErrorKind::kBadInput, "the checkpoint is of another training");
  }
  for (std::size_t i = 0; i < slots.size(); ++i) {
    std::ranges::copy(state.optimizer[i].second, slots[i].second.begin());
  }
  impl.optimizer_.set_steps(state.optimizer_steps);
  impl.step_ = state.step;
  impl.parameters_ = std::move(state.parameters);
  impl.statistics_ = std::move(state.statistics);
  if (impl.ema_) {
    std::ranges::copy(state.ema, impl.ema_->average().begin());
    impl.ema_->set_steps(state.ema_steps);
  }
  impl.tally_ = {.loss = state.loss, .correct = state.correct, .pictures = state.pictures};
  impl.history_ = std::move(state.history);
  impl.best_epoch_ = state.best_epoch;
  impl.best_parameters_ = std::move(state.best_parameters);
  impl.best_statistics_ = std::move(state.best_statistics);
  impl.epoch_start_ = std::chrono::steady_clock::now();
  impl.stopped_early_ = false;
  if (!impl.history_.empty() && impl.options_.keep == Keep::kBestEpoch &&
      !impl.spec_.validation.pictures.empty()) {
    impl.stopped_early_ = impl.options_.patience > 0 &&
                          impl.history_.back().epoch - impl.best_epoch_ >= impl.options_.patience;
  }
}

}  // namespace engraft
