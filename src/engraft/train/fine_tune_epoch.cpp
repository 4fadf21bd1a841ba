#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engraft/base/error.h"
#include "engraft/base/progress.h"
#include "engraft/train/fine_tune_impl.h"

namespace engraft {
namespace {

/// Pictures whose boundaries are held at a time, and between which a stop is heeded.
constexpr std::size_t kPicturesAtATime = 64;

bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

}  // namespace

Network FineTuner::Impl::network_of(std::span<const float> parameters,
                                    std::span<const float> statistics) const {
  Network result = *spec_.network;
  runner_.parameters().scatter(parameters, result.weights);
  runner_.statistics().scatter(statistics, result.weights);
  return result;
}

Tensor FineTuner::Impl::predict(const Network& network, std::span<const std::size_t> pictures) {
  Tensor result(
      Shape{static_cast<std::int64_t>(pictures.size()), static_cast<std::int64_t>(classes_)});
  const auto take = [&](std::size_t i, std::span<const float> output) {
    std::ranges::copy(output, result.row(static_cast<std::int64_t>(i)).begin());
  };
  if (!frozen_) {
    BatchRunner runner(network.graph, network.weights, pool_);
    for (std::size_t begin = 0; begin < pictures.size(); begin += kPicturesAtATime) {
      throw_if_stopped(spec_.stop);
      runner.run(
          std::min(kPicturesAtATime, pictures.size() - begin),
          [&](std::size_t i, std::span<float> input) {
            fill_plain(pictures[begin + i], input);
            return true;
          },
          [&](std::size_t i, std::span<const float> output) { take(begin + i, output); });
    }
    return result;
  }
  const std::string& boundary = split_.frozen.name(split_.frozen.output());
  BatchRunner runner(part_behind(network.graph, network.graph.find(boundary)), network.weights,
                     pool_);
  const std::size_t size = frozen_->size();
  std::vector<float> boundaries(std::min(kPicturesAtATime, pictures.size()) * size);
  for (std::size_t begin = 0; begin < pictures.size(); begin += kPicturesAtATime) {
    throw_if_stopped(spec_.stop);
    const std::size_t count = std::min(kPicturesAtATime, pictures.size() - begin);
    std::vector<std::optional<BoundaryCache::Key>> keys;
    for (const std::size_t p : pictures.subspan(begin, count)) keys.push_back(key(kPlainView, p));
    frozen_->run({.keys = keys,
                  .fill = [&](std::size_t i,
                              std::span<float> input) { fill_plain(pictures[begin + i], input); }},
                 boundaries);
    runner.run(
        count,
        [&](std::size_t i, std::span<float> input) {
          std::ranges::copy(std::span(boundaries).subspan(i * size, size), input.begin());
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
      const int label = spec_.validation.labels[i];
      tally.loss += loss_.of_probabilities(p, label);
      tally.correct += std::ranges::max_element(p) - p.begin() == label;
    }
    tally.pictures = spec_.validation.pictures.size();
  }
  result.val_loss = mean(tally.loss, tally.pictures);
  result.val_accuracy = mean(static_cast<double>(tally.correct), tally.pictures);
}

bool FineTuner::Impl::chooses_epoch() const {
  return options_.keep == Keep::kBestEpoch && !spec_.validation.pictures.empty();
}

bool FineTuner::Impl::out_of_patience() const {
  return chooses_epoch() && options_.patience > 0 && !history_.empty() &&
         history_.back().epoch - best_epoch_ >= options_.patience;
}

void FineTuner::Impl::keep_if_best() {
  const EpochResult& now = history_.back();
  const bool better = best_epoch_ == 0 ||
                      now.val_loss < history_[static_cast<std::size_t>(best_epoch_) - 1].val_loss;
  if (!chooses_epoch() || better) {
    best_epoch_ = now.epoch;
    const auto parameters = current_parameters();
    best_parameters_.assign(parameters.begin(), parameters.end());
    best_statistics_ = statistics_;
  }
  stopped_early_ = out_of_patience();
}

void FineTuner::Impl::end_epoch(float rate) {
  EpochResult result{.epoch = static_cast<int>(step_ / per_epoch_), .learning_rate = rate};
  result.train_loss = mean(tally_.loss, tally_.pictures);
  result.train_accuracy = mean(static_cast<double>(tally_.correct), tally_.pictures);
  try {
    validate(result);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kCancelled) throw;
    epoch_is_open_ = true;
    return;
  }
  epoch_is_open_ = false;
  const auto now = std::chrono::steady_clock::now();
  result.seconds = std::chrono::duration<double>(now - epoch_start_).count();
  epoch_start_ = now;
  tally_ = {};
  history_.push_back(result);
  keep_if_best();
}

void FineTuner::Impl::require_finite_epoch() const {
  const EpochResult& last = history_.back();
  if (!spec_.validation.pictures.empty() && !std::isfinite(last.val_loss)) {
    diverged("validation loss", last.epoch, last.learning_rate);
  }
  if (!all_finite(parameters_) || !all_finite(statistics_)) {
    diverged("weights", last.epoch, last.learning_rate);
  }
}

void FineTuner::Impl::diverged(const char* what, int in_epoch, float rate) const {
  throw Error(ErrorKind::kBadInput,
              fmt::format("the {} became infinite or no number in epoch {}, at a learning rate of "
                          "{:g}; try a tenth of the rate, or clip the gradient at 1",
                          what, in_epoch, rate));
}

}  // namespace engraft
