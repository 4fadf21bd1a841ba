#include <algorithm>
#include <cmath>

#include "engraft/train/clip.h"
#include "engraft/train/fine_tune_impl.h"

namespace engraft {
namespace {

/// Parameters that a worker updates at a time.
constexpr std::size_t kUpdateSlice = 1 << 15;

}  // namespace

void FineTuner::Impl::fill_plain(std::size_t picture, std::span<float> input) {
  const auto read = spec_.source->picture(picture);
  normalise(fit(read->image, spec_.preprocessing), spec_.preprocessing, input);
}

/// A view of a training picture.
void FineTuner::Impl::fill_view(std::size_t entry, std::uint64_t view, std::span<float> input) {
  if (view == kPlainView) return fill_plain(spec_.train.pictures[entry], input);
  const auto picture = spec_.source->picture(spec_.train.pictures[entry]);
  const Image image = augment(picture->image, spec_.preprocessing, options_.augmentation,
                              Rng(options_.seed, view, picture->content.leading_bits()));
  normalise(image, spec_.preprocessing, input);
}

void FineTuner::Impl::fill(const Draw& draw, std::span<float> input) {
  fill_view(draw.entry, draw_.view(epoch(), draw.occurrence), input);
  if (draw.mix.kind == Mix::Kind::kNone) return;
  std::vector<float> second(input.size());
  fill_view(draw.partner, draw_.partner_view(epoch()), second);
  apply_mix(draw.mix, input, second, {spec_.preprocessing.width, spec_.preprocessing.height});
}

BoundaryCache::Key FineTuner::Impl::key(std::uint64_t view, std::size_t picture) const {
  return {
      .maker = view == kPlainView ? plain_maker_ : drawn_maker_, .view = view, .picture = picture};
}

/// What the frozen part makes of a batch, computed or remembered.
void FineTuner::Impl::fill_boundaries(std::span<const Draw> batch) {
  boundary_.resize(batch.size() * frozen_->size());
  std::vector<std::optional<BoundaryCache::Key>> keys;
  for (const Draw& draw : batch) {
    keys.emplace_back();
    if (draw.mix.kind != Mix::Kind::kNone) continue;
    const std::uint64_t view = draw_.view(epoch(), draw.occurrence);
    // What no later training asks for would only take the place of what is asked for every epoch.
    if (view != kPlainView && !spec_.views_return) continue;
    keys.back() = key(view, spec_.train.pictures[draw.entry]);
  }
  frozen_->run(
      {.keys = keys, .fill = [&](std::size_t i, std::span<float> input) { fill(batch[i], input); }},
      boundary_);
}

Tally FineTuner::Impl::run_gradient(std::span<const Draw> batch) {
  if (frozen_) fill_boundaries(batch);
  std::vector<double> losses(batch.size());
  std::vector<char> correct(batch.size());
  const float share = 1 / static_cast<float>(batch.size());
  const auto fill_input = [&](std::size_t i, std::span<float> input) {
    if (!frozen_) return fill(batch[i], input);
    std::ranges::copy(std::span(boundary_).subspan(i * input.size(), input.size()), input.begin());
  };
  const auto take_loss = [&](std::size_t i, std::span<const float> logits,
                             std::span<float> d_logits) {
    const int label = spec_.train.labels[batch[i].entry];
    losses[i] = loss_(
        {.label = label, .partner = spec_.train.labels[batch[i].partner], .mix = batch[i].mix},
        logits, d_logits);
    for (float& d : d_logits) d *= share;
    correct[i] = std::ranges::max_element(logits) - logits.begin() == label;
  };
  const auto dropout = [&](std::size_t i, int layer) {
    return draw_.dropout(epoch(), batch[i], spec_.train.pictures[batch[i].entry], layer);
  };
  runner_.run(parameters_, statistics_,
              {.pictures = batch.size(), .fill = fill_input, .loss = take_loss, .dropout = dropout},
              gradient_);
  // They have no say in the gradient's norm.
  for (const ParameterRange& range : held_) {
    std::fill_n(gradient_.begin() + static_cast<std::ptrdiff_t>(range.begin),
                range.end - range.begin, 0.0f);
  }
  Tally tally{.pictures = batch.size()};
  for (std::size_t i = 0; i < batch.size(); ++i) {
    tally.loss += losses[i];
    tally.correct += static_cast<std::size_t>(correct[i]);
  }
  return tally;
}

void FineTuner::Impl::update(float rate, double norm) {
  const std::size_t size = parameters_.size();
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
    if (!ema_) return;
    for (const ParameterGroup& group : groups_) {
      const std::size_t begin = std::max(range.begin, group.begin);
      const std::size_t end = std::min(range.end, group.end);
      if (begin < end) ema_->update({.begin = begin, .end = end}, parameters_);
    }
  });
}

}  // namespace engraft
