#include "engraft/train/fine_tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engraft/base/error.h"
#include "engraft/base/hash.h"
#include "engraft/train/clip.h"
#include "engraft/train/fine_tune_impl.h"

namespace engraft {
namespace {

/// The softmax or sigmoid at a network's end.
const Node& last_activation(const Graph& graph) {
  const auto& nodes = graph.nodes();
  const auto last = std::ranges::find(nodes, graph.output(), &Node::output);
  require(last != nodes.end() && (last->op == Op::kSoftmax || last->op == Op::kSigmoid),
          "the network does not end in a softmax or sigmoid; it needs a head to be trained");
  return *last;
}

void check_labels(const char* what, const LabelledPictures& part, std::size_t classes) {
  require(
      part.labels.size() == part.pictures.size(),
      fmt::format("{} labels for {} {} pictures", part.labels.size(), part.pictures.size(), what));
  for (std::size_t i = 0; i < part.labels.size(); ++i) {
    require(part.labels[i] >= 0 && static_cast<std::size_t>(part.labels[i]) < classes,
            fmt::format("label {} of {} picture {}, where there are {} classes, counted from 0",
                        part.labels[i], what, i, classes));
  }
}

/// The options, if all of the spec makes sense.
const FineTuneSpec& checked(const FineTuneSpec& spec) {
  check(spec.options);
  require(spec.network && spec.source, "no network or no pictures to train");
  const Graph& graph = spec.network->graph;
  const auto classes = static_cast<std::size_t>(graph.shape(graph.output()).elements());
  require(!spec.train.pictures.empty(), "there are no pictures to train on");
  check_labels("training", spec.train, classes);
  check_labels("validation", spec.validation, classes);
  const Shape given = graph.shape(graph.input());
  const Shape expected{spec.preprocessing.height, spec.preprocessing.width, 3};
  require(given == expected, fmt::format("the network takes {} and the preprocessing gives {}",
                                         given.to_string(), expected.to_string()));
  return spec;
}

std::uint64_t digest_of(const std::string& text) {
  return Sha256().update(text).finish().leading_bits();
}

GradientOptions gradient_options(const FineTuneOptions& options) {
  return {.plan = {.micro_batch = options.micro_batch, .batch_norm = options.batch_norm},
          .statistics_momentum = options.statistics_momentum};
}

}  // namespace

float mean(double sum, std::size_t n) {
  return n == 0 ? std::numeric_limits<float>::quiet_NaN()
                : static_cast<float>(sum / static_cast<double>(n));
}

Graph without_activation(const Graph& graph) {
  return cut_at(graph, last_activation(graph).inputs[0]);
}

FineTuner::Impl::Impl(const FineTuneSpec& given, ThreadPool& threads)
    : spec_(checked(given)),
      options_(spec_.options),
      pool_(threads),
      whole_(without_activation(spec_.network->graph)),
      classes_(static_cast<std::size_t>(whole_.shape(whole_.output()).elements())),
      split_(split_frozen(whole_, first_trained_node(whole_, options_.from))),
      runner_(split_.trained, gradient_options(options_), threads),
      draw_(options_, spec_.train.labels, {spec_.preprocessing.width, spec_.preprocessing.height}),
      loss_(make_loss()),
      per_epoch_(draw_.per_epoch()),
      total_(per_epoch_ * options_.epochs),
      schedule_{.kind = options_.schedule,
                .peak = options_.learning_rate,
                .warmup = options_.warmup,
                .total = total_},
      parameters_(runner_.parameters().gather(spec_.network->weights)),
      statistics_(runner_.statistics().gather(spec_.network->weights)),
      gradient_(parameters_.size()),
      optimizer_(
          {.kind = options_.optimizer, .size = parameters_.size(), .momentum = options_.momentum}) {
  schedule_.check();
  make_groups();
  if (options_.ema > 0) ema_.emplace(parameters_, options_.ema);
  if (split_.frozen.nodes().empty()) return;
  const Weights& weights = spec_.network->weights;
  frozen_.emplace(split_.frozen, weights, pool_, spec_.boundaries);
  if (!spec_.boundaries) return;
  const std::string plain =
      fingerprint(split_.frozen, weights).hex() + to_json(spec_.preprocessing);
  plain_maker_ = digest_of(plain);
  drawn_maker_ =
      digest_of(fmt::format("{}{}{}", plain, to_json(options_.augmentation), options_.seed));
}

PictureLoss FineTuner::Impl::make_loss() const {
  // A sigmoid head for two classes is a softmax over (0, z): the loss is the same function, too.
  const bool softmax = last_activation(spec_.network->graph).op == Op::kSoftmax;
  const bool fits = softmax ? options_.loss == LossKind::kSoftmax || classes_ == 2
                            : options_.loss == LossKind::kSigmoid;
  require(fits, fmt::format("the network ends in a {}, which a {} loss does not train",
                            softmax ? "softmax" : "sigmoid", name_of(options_.loss)));
  return {softmax ? LossKind::kSoftmax : LossKind::kSigmoid, options_.label_smoothing,
          class_weights(spec_.train.labels, classes_, options_.balance)};
}

void FineTuner::Impl::make_groups() {
  const auto groups =
      make_parameter_groups(runner_.parameters(), depths_of(split_.trained), options_.layer_decay);
  const auto& slots = runner_.parameters().slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (std::ranges::find(split_.held, slots[i].name) == split_.held.end()) {
      groups_.push_back(groups[i]);
    } else {
      held_.push_back({.begin = groups[i].begin, .end = groups[i].end});
    }
  }
}

FineTuner::FineTuner(const FineTuneSpec& spec, ThreadPool& pool)
    : impl_(std::make_unique<Impl>(spec, pool)) {}
FineTuner::~FineTuner() = default;

bool FineTuner::finished() const {
  return impl_->stopped_early_ || (impl_->step_ >= impl_->total_ && !impl_->epoch_is_open_);
}

void FineTuner::step() {
  Impl& impl = *impl_;
  require(!finished(), "the training is over: there is no further step");
  if (impl.epoch_is_open_) {
    impl.end_epoch(impl.schedule_.rate(impl.step_ - 1));
    if (!impl.epoch_is_open_) impl.require_finite_epoch();
    return;
  }
  const int epoch = impl.epoch();
  const float rate = impl.schedule_.rate(impl.step_);
  const BatchResult result = step_at(rate);
  if (!std::isfinite(result.loss)) impl.diverged("loss", epoch, rate);
  if (!result.finite()) impl.diverged("gradient", epoch, rate);
  if (impl.epoch() > epoch && !impl.epoch_is_open_) impl.require_finite_epoch();
}

BatchResult FineTuner::step_at(float rate) {
  Impl& impl = *impl_;
  require(!impl.epoch_is_open_, "the epoch is not over: step() ends it");
  std::vector<float> statistics = impl.statistics_;
  const auto undo = [&](const BatchResult& result) {
    impl.statistics_.swap(statistics);  // a trainable batch norm has moved them
    return result;
  };
  const Tally batch =
      impl.run_gradient(impl.draw_.batch(impl.epoch(), impl.step_ % impl.per_epoch_));
  BatchResult result{.loss = mean(batch.loss, batch.pictures),
                     .gradient_norm = std::numeric_limits<double>::quiet_NaN()};
  if (!std::isfinite(result.loss)) return undo(result);
  result.gradient_norm = global_norm(impl.gradient_, impl.pool_);
  if (!result.finite()) return undo(result);
  impl.update(rate, result.gradient_norm);
  impl.tally_.loss += batch.loss;
  impl.tally_.correct += batch.correct;
  impl.tally_.pictures += batch.pictures;
  ++impl.step_;
  if (impl.step_ % impl.per_epoch_ == 0) impl.end_epoch(rate);
  return result;
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
std::size_t FineTuner::pictures_per_epoch() const {
  return impl_->spec_.train.pictures.size();
}
int FineTuner::batch() const {
  return impl_->options_.batch;
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

std::size_t FineTuner::trained_parameters() const {
  std::size_t count = 0;
  for (const ParameterGroup& group : impl_->groups_) count += group.end - group.begin;
  return count;
}

Network FineTuner::network() const {
  if (impl_->best_epoch_ > 0) {
    return impl_->network_of(impl_->best_parameters_, impl_->best_statistics_);
  }
  return last_network();
}

Network FineTuner::last_network() const {
  return impl_->network_of(impl_->current_parameters(), impl_->statistics_);
}

Tensor FineTuner::predict(std::span<const std::size_t> pictures) {
  return impl_->predict(network(), pictures);
}

const ParameterLayout& FineTuner::parameters() const {
  return impl_->runner_.parameters();
}
const ParameterLayout& FineTuner::statistics() const {
  return impl_->runner_.statistics();
}

std::size_t training_memory(const Network& network, const FineTuneOptions& options,
                            ThreadPool& pool) {
  // Weights, gradient, two moments, average, the best ones; the network twice, packed and folded;
  // and a checkpoint of all of them on its way to the disk.
  constexpr std::size_t kCopies = 16;
  check(options);
  const Graph whole = without_activation(network.graph);
  const FrozenSplit split = split_frozen(whole, first_trained_node(whole, options.from));
  const GradientRunner runner(split.trained, gradient_options(options), pool);
  return runner.memory_bytes(static_cast<std::size_t>(options.batch)) +
         kCopies * runner.parameters().size() * sizeof(float);
}

}  // namespace engraft
