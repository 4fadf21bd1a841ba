#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"
#include "engraft/train/fine_tune_impl.h"

namespace engraft {
namespace {

[[noreturn]] void of_another(const std::string& what) {
  throw Error(ErrorKind::kBadInput,
              "the checkpoint is of another training: " + what + "; begin this one anew");
}

void require_same_training(bool holds, const std::string& what) {
  if (!holds) of_another(what);
}

void fits_training(std::string_view name, std::size_t given, std::size_t wanted) {
  require_same_training(given == wanted,
                        fmt::format("{} values of {} where {} belong", given, name, wanted));
}

/// A slot of the optimizer in a state.
const std::vector<float>& slot_of(const FineTuneState& state, std::string_view name) {
  const auto found = std::ranges::find(
      state.optimizer, name, [](const auto& slot) { return std::string_view(slot.first); });
  require_same_training(found != state.optimizer.end(),
                        fmt::format("its optimizer has no {}", name));
  return found->second;
}

}  // namespace

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

bool FineTuner::Impl::leaves_open(const FineTuneState& state) const {
  return state.step > 0 && state.step % per_epoch_ == 0 &&
         state.history.size() + 1 == static_cast<std::size_t>(state.step / per_epoch_);
}

void FineTuner::Impl::check_state(const FineTuneState& state) const {
  fits_training("the parameters", state.parameters.size(), parameters_.size());
  fits_training("the statistics", state.statistics.size(), statistics_.size());
  fits_training("the average", state.ema.size(), ema_ ? parameters_.size() : 0);
  const auto slots = optimizer_.state();
  require_same_training(state.optimizer.size() == slots.size(), "its optimizer is another");
  for (const auto& [name, values] : slots)
    fits_training(name, slot_of(state, name).size(), values.size());
  require_same_training(state.optimizer_steps >= 0 && state.ema_steps >= 0,
                        "a negative number of steps");
  require_same_training(state.step >= 0 && state.step <= total_,
                        fmt::format("it is at step {} of {}", state.step, total_));
  const auto epochs = static_cast<std::size_t>(state.step / per_epoch_);
  const bool open = leaves_open(state);
  require_same_training(
      state.pictures == draw_.pictures_after(open ? per_epoch_ : state.step % per_epoch_) &&
          state.correct <= state.pictures,
      fmt::format("{} pictures seen at step {}", state.pictures, state.step));
  fits_training("the history", state.history.size(), open ? epochs - 1 : epochs);
  for (std::size_t i = 0; i < state.history.size(); ++i) {
    require_same_training(state.history[i].epoch == static_cast<int>(i) + 1,
                          "its epochs are out of order");
  }
  const auto best = static_cast<std::size_t>(std::max(state.best_epoch, 0));
  require_same_training(
      state.best_epoch >= 0 && best <= state.history.size() && (best > 0) == !state.history.empty(),
      fmt::format("its best epoch is {} of {}", state.best_epoch, state.history.size()));
  fits_training("the best parameters", state.best_parameters.size(),
                best > 0 ? parameters_.size() : 0);
  fits_training("the best statistics", state.best_statistics.size(),
                best > 0 ? statistics_.size() : 0);
}

void FineTuner::restore(FineTuneState state) {
  Impl& impl = *impl_;
  impl.check_state(state);
  for (const auto& [name, values] : impl.optimizer_.state()) {
    std::ranges::copy(slot_of(state, name), values.begin());
  }
  impl.optimizer_.set_steps(state.optimizer_steps);
  if (impl.ema_) {
    std::ranges::copy(state.ema, impl.ema_->average().begin());
    impl.ema_->set_steps(state.ema_steps);
  }
  impl.epoch_is_open_ = impl.leaves_open(state);
  impl.step_ = state.step;
  impl.parameters_ = std::move(state.parameters);
  impl.statistics_ = std::move(state.statistics);
  impl.tally_ = {.loss = state.loss, .correct = state.correct, .pictures = state.pictures};
  impl.history_ = std::move(state.history);
  impl.best_epoch_ = state.best_epoch;
  impl.best_parameters_ = std::move(state.best_parameters);
  impl.best_statistics_ = std::move(state.best_statistics);
  impl.epoch_start_ = std::chrono::steady_clock::now();
  impl.stopped_early_ = impl.out_of_patience();
}

}  // namespace engraft
