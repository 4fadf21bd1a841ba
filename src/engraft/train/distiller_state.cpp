#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/error.h"
#include "engraft/train/distiller_impl.h"

namespace engraft {
namespace {

void require_same_distillation(bool holds, const std::string& what) {
  if (holds) return;
  throw Error(ErrorKind::kBadInput,
              "the checkpoint is of another distillation: " + what + "; begin this one anew");
}

void fits_distillation(std::string_view name, std::size_t given, std::size_t wanted) {
  require_same_distillation(given == wanted,
                            fmt::format("{} values of {} where {} belong", given, name, wanted));
}

const std::vector<float>& slot_of(const DistillState& state, std::string_view name) {
  const auto found = std::ranges::find(
      state.optimizer, name, [](const auto& slot) { return std::string_view(slot.first); });
  require_same_distillation(found != state.optimizer.end(),
                            fmt::format("its optimizer has no {}", name));
  return found->second;
}

std::vector<float> copy_of(std::span<const float> values) {
  return {values.begin(), values.end()};
}

}  // namespace

DistillState Distiller::state() const {
  const Impl& impl = *impl_;
  DistillState state{.step = impl.step_,
                     .parameters = impl.parameters_,
                     .statistics = impl.statistics_,
                     .optimizer_steps = impl.optimizer_.steps(),
                     .optimizer = {},
                     .average_parameters = copy_of(impl.average_.average()),
                     .average_statistics = copy_of(impl.average_statistics_.average()),
                     .feature_error = impl.feature_error_,
                     .divergence = impl.divergence_,
                     .agreeing = impl.agreeing_,
                     .seen = impl.seen_,
                     .history = impl.history_};
  for (const auto& [name, values] : impl.optimizer_.state()) {
    state.optimizer.emplace_back(std::string(name), copy_of(values));
  }
  return state;
}

void Distiller::Impl::check_state(const DistillState& state) const {
  fits_distillation("the parameters", state.parameters.size(), parameters_.size());
  fits_distillation("the statistics", state.statistics.size(), statistics_.size());
  fits_distillation("the average", state.average_parameters.size(), parameters_.size());
  fits_distillation("the average of the statistics", state.average_statistics.size(),
                    statistics_.size());
  const auto slots = optimizer_.state();
  require_same_distillation(state.optimizer.size() == slots.size(), "its optimizer is another");
  for (const auto& [name, values] : slots)
    fits_distillation(name, slot_of(state, name).size(), values.size());
  require_same_distillation(
      state.step >= 0 && state.step <= total() && state.optimizer_steps == state.step,
      fmt::format("it is at step {} of {}, and its optimizer at {}", state.step, total(),
                  state.optimizer_steps));
  const std::int64_t in_epoch = state.step % per_epoch_;
  require_same_distillation(state.seen == in_epoch * static_cast<std::int64_t>(batch_size_) &&
                                state.agreeing >= 0 && state.agreeing <= state.seen,
                            fmt::format("{} pictures seen at step {}", state.seen, state.step));
  fits_distillation("the history", state.history.size(),
                    static_cast<std::size_t>(state.step / per_epoch_));
  for (std::size_t i = 0; i < state.history.size(); ++i) {
    require_same_distillation(state.history[i].epoch == static_cast<int>(i) + 1,
                              "its epochs are out of order");
  }
}

void Distiller::restore(DistillState state) {
  Impl& impl = *impl_;
  impl.check_state(state);
  for (const auto& [name, values] : impl.optimizer_.state()) {
    std::ranges::copy(slot_of(state, name), values.begin());
  }
  impl.optimizer_.set_steps(state.optimizer_steps);
  std::ranges::copy(state.average_parameters, impl.average_.average().begin());
  std::ranges::copy(state.average_statistics, impl.average_statistics_.average().begin());
  impl.average_.set_steps(state.step);
  impl.average_statistics_.set_steps(state.step);
  impl.step_ = state.step;
  impl.parameters_ = std::move(state.parameters);
  impl.statistics_ = std::move(state.statistics);
  impl.feature_error_ = state.feature_error;
  impl.divergence_ = state.divergence;
  impl.agreeing_ = state.agreeing;
  impl.seen_ = state.seen;
  impl.history_ = std::move(state.history);
  impl.epoch_start_ = std::chrono::steady_clock::now();
}

}  // namespace engraft
