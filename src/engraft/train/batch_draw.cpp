#include "engraft/train/batch_draw.h"

#include <algorithm>
#include <numeric>

namespace engraft {
namespace {

// Streams of Rng beside the epochs' own, which number the views.
constexpr std::uint64_t kShuffleStream = std::uint64_t{1} << 32;
constexpr std::uint64_t kDropoutStream = std::uint64_t{2} << 32;
constexpr std::uint64_t kMixStream = std::uint64_t{3} << 32;
constexpr std::uint64_t kPartnerStream = std::uint64_t{4} << 32;
constexpr int kLayerShift = 36;       // of a dropout layer's number, above all of these
constexpr int kOccurrenceShift = 20;  // of a picture within its epoch, above the epoch

/// Whether augment() does anything but fit().
bool changes_pictures(Augmentation augmentation) {
  const Augmentation nothing;
  augmentation.mixup = nothing.mixup;
  augmentation.cutmix = nothing.cutmix;
  if (augmentation.rand_augment == 0) augmentation.magnitude = nothing.magnitude;
  return augmentation != nothing;
}

std::uint64_t number(int epoch, int occurrence = 0) {
  constexpr int kMost = 1 << (32 - kOccurrenceShift);
  return static_cast<std::uint64_t>(epoch) +
         (static_cast<std::uint64_t>(occurrence % kMost) << kOccurrenceShift);
}

/// Of each entry: how often the same one stands before it.
std::vector<int> occurrences(std::span<const std::size_t> entries, std::size_t pictures) {
  std::vector<int> seen(pictures, 0), before;
  before.reserve(entries.size());
  for (const std::size_t entry : entries) before.push_back(seen[entry]++);
  return before;
}

}  // namespace

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

BatchDraw::BatchDraw(const FineTuneOptions& options, std::span<const int> labels, Size size)
    : options_(options),
      pictures_(labels.size()),
      size_(size),
      views_differ_(changes_pictures(options.augmentation)) {
  if (options.balance != Balance::kSampling) return;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    if (by_class_.size() <= label) by_class_.resize(label + 1);
    by_class_[label].push_back(i);
  }
  std::erase_if(by_class_, [](const auto& entries) { return entries.empty(); });
}

std::int64_t BatchDraw::per_epoch() const {
  return (static_cast<std::int64_t>(pictures_) + options_.batch - 1) / options_.batch;
}

std::size_t BatchDraw::pictures_after(std::int64_t steps) const {
  return std::min(static_cast<std::size_t>(steps) * static_cast<std::size_t>(options_.batch),
                  pictures_);
}

/// Entries of the training pictures in the order of an epoch.
std::vector<std::size_t> BatchDraw::order(int epoch) const {
  Rng rng(options_.seed, kShuffleStream + number(epoch));
  std::vector<std::size_t> order(pictures_);
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

std::vector<Draw> BatchDraw::batch(int epoch, std::int64_t index) const {
  const std::vector<std::size_t> entries = order(epoch);
  const std::vector<int> before = occurrences(entries, pictures_);
  const std::size_t end = pictures_after(index + 1);
  std::vector<Draw> batch;
  for (std::size_t i = pictures_after(index); i < end; ++i) {
    Rng rng(options_.seed, kMixStream + number(epoch), i);
    Draw draw{.entry = entries[i],
              .occurrence = before[i],
              .mix = draw_mix(options_.augmentation, size_, rng),
              .partner = 0};
    draw.partner = static_cast<std::size_t>(draw.mix.partner % pictures_);
    batch.push_back(draw);
  }
  return batch;
}

std::uint64_t BatchDraw::view(int epoch, int occurrence) const {
  return views_differ_ ? number(epoch, occurrence) : kPlainView;
}

std::uint64_t BatchDraw::partner_view(int epoch) const {
  return views_differ_ ? kPartnerStream + number(epoch) : kPlainView;
}

Rng BatchDraw::dropout(int epoch, const Draw& draw, std::size_t picture, int layer) const {
  const std::uint64_t stream = kDropoutStream + number(epoch, draw.occurrence) +
                               (static_cast<std::uint64_t>(layer) << kLayerShift);
  return Rng(options_.seed, stream, static_cast<std::uint64_t>(picture));
}

}  // namespace engraft
