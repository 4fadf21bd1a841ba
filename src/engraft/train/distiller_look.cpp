#include <algorithm>
#include <cmath>

#include "engraft/train/distiller_impl.h"

namespace engraft {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLooks = 50;

int look_every(const DistillOptions& options, int epochs) {
  return options.look_every > 0 ? options.look_every : std::max(1, (epochs + kLooks - 1) / kLooks);
}

}  // namespace

int distill_looks(const DistillOptions& options, int epochs) {
  return 1 + (epochs - 1) / look_every(options, epochs);  // the last epoch ends with one
}

Network Distiller::Impl::student() const {
  Network result = *spec_.student;
  runner_.parameters().scatter(average_.average(), result.weights);
  runner_.statistics().scatter(average_statistics_.average(), result.weights);
  return result;
}

/// What the teacher makes of plain views: the same at every look.
void Distiller::Impl::prepare_held_out() {
  const std::size_t values = features();
  held_out_features_.resize(spec_.held_out.size() * values);
  teacher_.run(
      spec_.held_out.size(),
      [&](std::size_t i, std::span<float> input) {
        normalise(engraft::fit(spec_.held_out[i].image, spec_.teacher_view), spec_.teacher_view,
                  input);
        return true;
      },
      [&](std::size_t i, std::span<const float> output) {
        require_finite(output);
        std::ranges::copy(output,
                          held_out_features_.begin() + static_cast<std::ptrdiff_t>(i * values));
      });
}

void Distiller::Impl::look(DistillResult& result) const {
  const Network now = student();
  const std::size_t count = spec_.held_out.size(), values = features();
  if (count > 0) {
    std::vector<DistillTerms> terms(count);
    BatchRunner runner(now.graph, now.weights, pool_);
    runner.run(
        count,
        [&](std::size_t i, std::span<float> input) {
          normalise(engraft::fit(spec_.held_out[i].image, spec_.student_view), spec_.student_view,
                    input);
          return true;
        },
        [&](std::size_t i, std::span<const float> output) {
          (*loss_)(std::span(held_out_features_).subspan(i * values, values), output, 1,
                   std::span(terms).subspan(i, 1), {});
        });
    double feature_error = 0, divergence = 0;
    std::size_t agreeing = 0;
    for (const DistillTerms& one : terms) {
      feature_error += static_cast<double>(one.feature_error);
      divergence += static_cast<double>(one.divergence);
      agreeing += one.agrees ? 1 : 0;
    }
    const auto n = static_cast<double>(count);
    result.held_out_feature_error = feature_error / n;
    result.held_out_divergence = divergence / n;
    result.held_out_agreement = static_cast<double>(agreeing) / n;
  }
  if (spec_.probe) result.probe = spec_.probe(now);
}

bool Distiller::Impl::looks_after(int epoch) const {
  return epoch % look_every(options_, options_.epochs) == 0 || epoch * per_epoch_ >= total();
}

void Distiller::Impl::end_epoch(float rate) {
  const auto n = static_cast<double>(seen_);
  const int epoch = static_cast<int>(step_ / per_epoch_);
  DistillResult result{.epoch = epoch,
                       .learning_rate = static_cast<double>(rate),
                       .feature_error = feature_error_ / n,
                       .divergence = divergence_ / n,
                       .agreement = static_cast<double>(agreeing_) / n};
  if (looks_after(epoch)) {
    const auto begin = Clock::now();
    look(result);
    seconds_looking_ += std::chrono::duration<double>(Clock::now() - begin).count();
  }
  const auto now = Clock::now();
  result.seconds = std::chrono::duration<double>(now - epoch_start_).count();
  epoch_start_ = now;
  feature_error_ = divergence_ = 0;
  agreeing_ = seen_ = 0;
  history_.push_back(result);
}

DistillResult Distiller::look() const {
  DistillResult result;
  impl_->look(result);
  return result;
}

double Distiller::seconds_looking() const {
  return impl_->seconds_looking_;
}

bool Distiller::looked() const {
  return !impl_->history_.empty() && impl_->looks_after(impl_->history_.back().epoch);
}

}  // namespace engraft
