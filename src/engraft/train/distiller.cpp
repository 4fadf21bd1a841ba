#include "engraft/train/distiller.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/train/clip.h"
#include "engraft/train/distiller_impl.h"

namespace engraft {
namespace {

/// Parameters that a worker updates at a time.
constexpr std::size_t kStudentSlice = 1 << 15;

std::int64_t decay_steps(const DistillOptions& options, std::int64_t total) {
  return std::llround(static_cast<double>(options.decay) * static_cast<double>(total));
}

void check_fit(const char* who, const Graph& graph, const Preprocessing& view,
               std::size_t features) {
  const Shape expected{view.height, view.width, 3};
  const Shape given = graph.shape(graph.input());
  require(given == expected, fmt::format("the {} takes {} and its views are {}", who,
                                         given.to_string(), expected.to_string()));
  const Shape output = graph.shape(graph.output());
  require(output == Shape{static_cast<std::int64_t>(features)},
          fmt::format("the {} gives features {}, and the teacher's classifier takes {}", who,
                      output.to_string(), features));
}

const DistillSpec& checked(const DistillSpec& spec) {
  check(spec.options);
  require(spec.teacher && spec.student, "no teacher or no student");
  require(!spec.pictures.empty(), "there are no pictures to learn from");
  for (const auto pictures : {spec.pictures, spec.held_out}) {
    for (const StoredPicture& picture : pictures) {
      require(picture.error.empty(), "a picture that could not be read cannot be learnt from");
    }
  }
  const std::size_t features = spec.teacher->top.features();
  check_fit("teacher", spec.teacher->features.graph, spec.teacher_view, features);
  check_fit("student", spec.student->graph, spec.student_view, features);
  return spec;
}

GradientOptions gradient_options(const DistillOptions& options) {
  return {.plan = {.micro_batch = options.micro_batch, .batch_norm = BatchNormMode::kTrainable},
          .statistics_momentum = options.statistics_momentum};
}

}  // namespace

void check(const DistillOptions& o) {
  require(o.epochs >= 1 && o.epochs <= DistillOptions::kMostEpochs,
          fmt::format("{} epochs; 1 to {}", o.epochs, DistillOptions::kMostEpochs));
  require(o.batch >= 2 && o.batch <= 65536, fmt::format("a batch of {}; 2 to 65536", o.batch));
  require(o.micro_batch >= 1 && o.micro_batch <= 1024,
          fmt::format("a micro-batch of {}; 1 to 1024", o.micro_batch));
  require(o.learning_rate > 0 && o.learning_rate <= 100,
          fmt::format("a learning rate of {:g}; above 0, up to 100", o.learning_rate));
  require(o.weight_decay >= 0 && o.weight_decay * o.learning_rate < 1,
          fmt::format("a weight decay of {:g}; from 0 to less than 1 / rate", o.weight_decay));
  require(o.warmup_steps >= 0, fmt::format("{} steps of warm-up; 0 or more", o.warmup_steps));
  require(o.decay >= 0 && o.decay <= 1,
          fmt::format("a decay in {:g} of all steps; 0 to 1", o.decay));
  require(o.clip >= 0 && std::isfinite(o.clip),
          fmt::format("a gradient norm of {:g}; 0 (any) or more", o.clip));
  require(o.ema >= 0 && o.ema < 1,
          fmt::format("an averaging decay of {:g}; from 0 to less than 1", o.ema));
  require(o.statistics_momentum >= 0 && o.statistics_momentum < 1,
          fmt::format("a momentum of the statistics of {:g}; from 0 to less than 1",
                      o.statistics_momentum));
  require(o.mixed >= 0 && o.mixed <= 1, fmt::format("{:g} of the pictures mixed; 0 to 1", o.mixed));
  require(o.views >= 0 && o.views <= 1'000'000,
          fmt::format("{} views; 0 (all new) to 1000000", o.views));
  require(o.look_every >= 0, fmt::format("a look every {} epochs; 0 or more", o.look_every));
  check(o.loss);
  check(o.augmentation);
}

float distill_rate(const DistillOptions& options, std::int64_t step, std::int64_t total) {
  const std::int64_t falling = decay_steps(options, total);
  const std::int64_t begin = total - falling;
  const std::int64_t warm = std::min<std::int64_t>(options.warmup_steps, begin);
  if (step < warm) {
    return options.learning_rate *
           static_cast<float>(static_cast<double>(step + 1) / static_cast<double>(warm));
  }
  if (step < begin) return options.learning_rate;
  const double along = static_cast<double>(step - begin) / static_cast<double>(falling);
  return options.learning_rate * static_cast<float>(1 - std::sqrt(along));
}

Distiller::Impl::Impl(const DistillSpec& given, ThreadPool& threads)
    : spec_(checked(given)),
      options_(spec_.options),
      pool_(threads),
      batch_size_(std::min(static_cast<std::size_t>(options_.batch), spec_.pictures.size())),
      per_epoch_(static_cast<std::int64_t>(spec_.pictures.size() / batch_size_)),
      one_view_(spec_.teacher_view == spec_.student_view),
      runner_(spec_.student->graph, gradient_options(options_), threads),
      teacher_(spec_.teacher->features.graph, spec_.teacher->features.weights, threads),
      parameters_(runner_.parameters().gather(spec_.student->weights)),
      statistics_(runner_.statistics().gather(spec_.student->weights)),
      gradient_(parameters_.size()),
      optimizer_({.kind = options_.optimizer, .size = parameters_.size()}),
      groups_(make_parameter_groups(runner_.parameters())),
      average_(parameters_, options_.ema),
      average_statistics_(statistics_, options_.ema) {
  if (options_.views > 0) {
    remembered_ =
        QuantisedRows(spec_.pictures.size() * static_cast<std::size_t>(options_.views), features());
  }
  loss_.emplace(spec_.teacher->top, feature_scale(), options_.loss);
  prepare_held_out();
}

void Distiller::Impl::learn(std::span<const TaughtView> batch) {
  ask_teacher(batch);
  terms_.assign(batch.size(), {});
  const float share = 1 / static_cast<float>(batch.size());
  const std::size_t values = features();
  runner_.run(
      parameters_, statistics_,
      {.pictures = batch.size(),
       .fill =
           [&](std::size_t i, std::span<float> input) {
             if (has_input_[i] == 0) return fill(batch[i], spec_.student_view, input);
             std::ranges::copy(std::span(inputs_).subspan(i * input.size(), input.size()),
                               input.begin());
           },
       .loss = {},
       .losses =
           [&](std::size_t first, std::span<const float> outputs, std::span<float> d_outputs) {
             const std::size_t count = outputs.size() / values;
             (*loss_)(std::span(taught_).subspan(first * values, outputs.size()), outputs, share,
                      std::span(terms_).subspan(first, count), d_outputs);
           },
       .dropout = {}},
      gradient_);
}

void Distiller::Impl::update(float rate, double norm) {
  const std::size_t size = parameters_.size();
  const float factor = options_.clip > 0 ? clip_factor(norm, options_.clip) : 1.0f;
  optimizer_.begin_step();
  average_.begin_step();
  pool_.for_each((size + kStudentSlice - 1) / kStudentSlice, [&](std::size_t slice, int) {
    const ParameterRange range{slice * kStudentSlice, std::min(size, (slice + 1) * kStudentSlice)};
    if (factor != 1) {
      scale(std::span(gradient_).subspan(range.begin, range.end - range.begin), factor);
    }
    optimizer_.update(groups_, range, parameters_, gradient_,
                      {.learning_rate = rate, .weight_decay = options_.weight_decay});
    average_.update(range, parameters_);
  });
  average_statistics_.step(statistics_);
}

void Distiller::Impl::diverged(const char* what, float rate) const {
  throw Error(ErrorKind::kBadInput,
              fmt::format("the {} became infinite or no number in epoch {}, at a learning rate of "
                          "{:g}; try a third of the rate",
                          what, epoch(), rate));
}

Distiller::Distiller(const DistillSpec& spec, ThreadPool& pool)
    : impl_(std::make_unique<Impl>(spec, pool)) {}
Distiller::~Distiller() = default;

bool Distiller::finished() const {
  return impl_->step_ >= impl_->total();
}

void Distiller::step() {
  Impl& impl = *impl_;
  require(!finished(), "the distillation is over");
  const float rate = distill_rate(impl.options_, impl.step_, impl.total());
  const std::vector<TaughtView> batch = impl.batch();
  impl.learn(batch);
  double feature_error = 0, divergence = 0;
  for (const DistillTerms& terms : impl.terms_) {
    feature_error += static_cast<double>(terms.feature_error);
    divergence += static_cast<double>(terms.divergence);
    impl.agreeing_ += terms.agrees ? 1 : 0;
  }
  if (!std::isfinite(feature_error + divergence)) impl.diverged("loss", rate);
  const double norm = global_norm(impl.gradient_, impl.pool_);
  if (!std::isfinite(norm)) impl.diverged("gradient", rate);
  impl.feature_error_ += feature_error;
  impl.divergence_ += divergence;
  impl.seen_ += static_cast<std::int64_t>(batch.size());
  impl.update(rate, norm);
  ++impl.step_;
  if (impl.step_ % impl.per_epoch_ == 0) impl.end_epoch(rate);
}

std::int64_t Distiller::steps_done() const {
  return impl_->step_;
}
std::int64_t Distiller::steps_in_all() const {
  return impl_->total();
}
std::int64_t Distiller::steps_per_epoch() const {
  return impl_->per_epoch_;
}
int Distiller::epochs() const {
  return impl_->options_.epochs;
}
int Distiller::batch() const {
  return static_cast<int>(impl_->batch_size_);
}
const std::vector<DistillResult>& Distiller::history() const {
  return impl_->history_;
}
Network Distiller::student() const {
  return impl_->student();
}
const ParameterLayout& Distiller::parameters() const {
  return impl_->runner_.parameters();
}
const ParameterLayout& Distiller::statistics() const {
  return impl_->runner_.statistics();
}

double Distiller::running_loss() const {
  const Impl& impl = *impl_;
  const auto value = [&](double feature_error, double divergence) {
    return static_cast<double>(
        impl.loss_->value({.feature_error = static_cast<float>(feature_error),
                           .divergence = static_cast<float>(divergence)}));
  };
  if (impl.seen_ > 0) {
    const auto n = static_cast<double>(impl.seen_);
    return value(impl.feature_error_ / n, impl.divergence_ / n);
  }
  if (impl.history_.empty()) return DistillResult::kUnknown;
  return value(impl.history_.back().feature_error, impl.history_.back().divergence);
}

double Distiller::running_agreement() const {
  const Impl& impl = *impl_;
  if (impl.seen_ > 0) return static_cast<double>(impl.agreeing_) / static_cast<double>(impl.seen_);
  return impl.history_.empty() ? DistillResult::kUnknown : impl.history_.back().agreement;
}

void Distiller::set_epochs(int epochs) {
  Impl& impl = *impl_;
  DistillOptions options = impl.options_;
  options.epochs = epochs;
  check(options);
  if (epochs == impl.options_.epochs) return;
  const std::int64_t total = impl.per_epoch_ * epochs;
  require(impl.step_ < total,
          fmt::format("{} epochs are done already; ask for more than that", epochs));
  const auto begins = [&](std::int64_t all) { return all - decay_steps(options, all); };
  const std::int64_t earliest = std::min(begins(total), begins(impl.total()));
  require(impl.step_ <= earliest,
          fmt::format("the length can be changed up to epoch {}, where the rate begins to fall by "
                      "the old length or the new one; this is epoch {}",
                      earliest / impl.per_epoch_, impl.epoch()));
  impl.options_.epochs = epochs;
}

std::size_t distilling_memory(const Network& student, const DistillOptions& options,
                              ThreadPool& pool) {
  // Weights, gradient, two moments, average; the network packed; a checkpoint on its way to disk.
  constexpr std::size_t kCopies = 16;
  check(options);
  const GradientRunner runner(student.graph, gradient_options(options), pool);
  const auto batch = static_cast<std::size_t>(options.batch);
  const auto values =
      static_cast<std::size_t>(student.graph.shape(student.graph.input()).elements() +
                               student.graph.shape(student.graph.output()).elements());
  return runner.memory_bytes(batch) + batch * values * sizeof(float) +
         kCopies * runner.parameters().size() * sizeof(float);
}

}  // namespace engraft
