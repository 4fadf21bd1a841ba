#include <algorithm>
#include <cmath>
#include <numeric>

#include "engraft/base/error.h"
#include "engraft/train/distiller_impl.h"

namespace engraft {
namespace {

// Streams of Rng beside the views' own, which have their numbers.
constexpr std::uint64_t kViewShuffleStream = std::uint64_t{1} << 32;
constexpr std::uint64_t kViewMixStream = std::uint64_t{3} << 32;
constexpr std::uint64_t kViewPartnerStream = std::uint64_t{4} << 32;

/// Views whose features say how far each channel spreads.
constexpr std::size_t kScaleViews = 512;
/// Channels that hardly spread count as if they did so by this share of the mean.
constexpr double kLeastSpread = 0.05;

}  // namespace

Augmentation distillation_views() {
  return {.crop_min_area = 0.08f,
          .crop_max_stretch = 4.0f / 3,
          .mirror = 0.5f,
          .rotation = 10,
          .brightness = 0.3f,
          .contrast = 0.3f,
          .saturation = 0.3f,
          .hue = 0.05f,
          .grayscale = 0.05f,
          .mixup = 1};
}

TaughtView Distiller::Impl::draw(std::size_t picture, std::uint64_t view) const {
  const std::uint64_t key = spec_.pictures[picture].content.leading_bits();
  Rng rng(options_.seed, kViewMixStream + view, key);
  const bool mixed = rng.uniform() < options_.mixed;
  TaughtView drawn{.picture = picture, .view = view, .mix = {}, .partner = 0};
  if (!mixed) return drawn;
  drawn.mix =
      draw_mix(options_.augmentation, {spec_.student_view.width, spec_.student_view.height}, rng);
  drawn.partner = static_cast<std::size_t>(drawn.mix.partner % spec_.pictures.size());
  return drawn;
}

/// The batch at hand; what does not fill one is left out of an epoch, another part in each.
std::vector<TaughtView> Distiller::Impl::batch() const {
  const auto epoch = static_cast<std::uint64_t>(step_ / per_epoch_) + 1;
  const auto views = static_cast<std::uint64_t>(options_.views);
  const std::uint64_t view = views == 0 ? epoch : (epoch - 1) % views + 1;
  Rng rng(options_.seed, kViewShuffleStream + epoch);
  std::vector<std::size_t> order(spec_.pictures.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  rng.shuffle(std::span(order));
  const auto begin = static_cast<std::size_t>(step_ % per_epoch_) * batch_size_;
  std::vector<TaughtView> batch;
  for (std::size_t i = begin; i < begin + batch_size_; ++i) batch.push_back(draw(order[i], view));
  return batch;
}

void Distiller::Impl::fill(const TaughtView& view, const Preprocessing& to,
                           std::span<float> input) const {
  const StoredPicture& first = spec_.pictures[view.picture];
  const std::uint64_t key = first.content.leading_bits();
  const auto draw_into = [&](const StoredPicture& picture, std::uint64_t stream,
                             std::span<float> values) {
    normalise(augment(picture.image, to, options_.augmentation, Rng(options_.seed, stream, key)),
              to, values);
  };
  draw_into(first, view.view, input);
  if (view.mix.kind == Mix::Kind::kNone) return;
  std::vector<float> second(input.size());
  draw_into(spec_.pictures[view.partner], kViewPartnerStream + view.view, second);
  Mix mix = view.mix;
  if (to.width != spec_.student_view.width || to.height != spec_.student_view.height) {
    const auto scaled = [](int value, int from, int whole) {
      return static_cast<int>(std::int64_t{value} * whole / from);
    };
    const Size from{spec_.student_view.width, spec_.student_view.height};
    mix.box = {.left = scaled(mix.box.left, from.width, to.width),
               .top = scaled(mix.box.top, from.height, to.height),
               .width = scaled(mix.box.width, from.width, to.width),
               .height = scaled(mix.box.height, from.height, to.height)};
  }
  apply_mix(mix, input, second, {to.width, to.height});
}

std::size_t Distiller::Impl::row_of(const TaughtView& view) const {
  return view.picture * static_cast<std::size_t>(options_.views) +
         static_cast<std::size_t>(view.view - 1);
}

void Distiller::Impl::require_finite(std::span<const float> features) {
  if (std::ranges::all_of(features, [](float value) { return std::isfinite(value); })) return;
  throw Error(ErrorKind::kBadInput,
              "the teacher's features of a picture are infinite or no numbers, so its weights are "
              "damaged; give another teacher");
}

void Distiller::Impl::ask_teacher(std::span<const TaughtView> batch) {
  const std::size_t values = features();
  taught_.resize(batch.size() * values);
  has_input_.assign(batch.size(), 0);
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (options_.views == 0 || !remembered_.has(row_of(batch[i]))) asked.push_back(i);
  }
  if (one_view_)
    inputs_.resize(batch.size() * static_cast<std::size_t>(spec_.student_view.width) *
                   static_cast<std::size_t>(spec_.student_view.height) * 3);
  teacher_.run(
      asked.size(),
      [&](std::size_t a, std::span<float> input) {
        const std::size_t i = asked[a];
        fill(batch[i], spec_.teacher_view, input);
        if (!one_view_) return true;
        std::ranges::copy(input, inputs_.begin() + static_cast<std::ptrdiff_t>(i * input.size()));
        has_input_[i] = 1;
        return true;
      },
      [&](std::size_t a, std::span<const float> output) {
        require_finite(output);
        const std::size_t i = asked[a];
        if (options_.views > 0) {
          remembered_.put(row_of(batch[i]), output);
        } else {
          std::ranges::copy(output, taught_.begin() + static_cast<std::ptrdiff_t>(i * values));
        }
      });
  if (options_.views == 0) return;
  // Also what was only just put there: it has the same bits as when it is asked for again.
  for (std::size_t i = 0; i < batch.size(); ++i) {
    remembered_.get(row_of(batch[i]), std::span(taught_).subspan(i * values, values));
  }
}

std::vector<float> Distiller::Impl::feature_scale() {
  const std::size_t count = std::min(kScaleViews, spec_.pictures.size()), values = features();
  std::vector<float> rows(count * values);
  teacher_.run(
      count,
      [&](std::size_t i, std::span<float> input) {
        fill({.picture = i, .view = 0, .mix = {}, .partner = 0}, spec_.teacher_view, input);
        return true;
      },
      [&](std::size_t i, std::span<const float> output) {
        require_finite(output);
        std::ranges::copy(output, rows.begin() + static_cast<std::ptrdiff_t>(i * values));
      });
  std::vector<double> sums(values), squares(values);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto value = static_cast<double>(rows[i]);
    sums[i % values] += value;
    squares[i % values] += value * value;
  }
  double all = 0;
  for (std::size_t c = 0; c < values; ++c) {
    const double mean = sums[c] / static_cast<double>(count);
    squares[c] = std::max(0.0, squares[c] / static_cast<double>(count) - mean * mean);
    all += squares[c] / static_cast<double>(values);
  }
  const double least = std::max(kLeastSpread * all, 1e-12);
  std::vector<float> scale;
  for (const double variance : squares) scale.push_back(static_cast<float>(variance + least));
  return scale;
}

}  // namespace engraft
