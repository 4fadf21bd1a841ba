#include "engraft/train/distill_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/train/loss.h"

namespace engraft {
namespace {

/// The class of the largest logit; of a single one, whether it is above 0.
std::ptrdiff_t first_answer(std::span<const float> logits) {
  if (logits.size() == 1) return logits[0] > 0 ? 1 : 0;
  return std::ranges::max_element(logits) - logits.begin();
}

struct Answers {
  std::span<float> teacher, student;  ///< logits, which are lost
  std::span<float> d_student;         ///< gradient by the student's; empty: not asked for
  float temperature = 1;
  float factor = 1;  ///< of the gradient
};

/// KL of two softmaxes; q - p goes into `student`.
double softmax_divergence(const Answers& a, std::span<float> scratch) {
  const std::size_t classes = a.teacher.size();
  const std::span<float> p = scratch.first(classes), q = scratch.subspan(classes, classes);
  const float log_sum_p = loss::softmax(std::span<const float>(a.teacher), p);
  const float log_sum_q = loss::softmax(std::span<const float>(a.student), q);
  double sum = 0;
  for (std::size_t k = 0; k < classes; ++k) {
    const float log_ratio = (a.teacher[k] - log_sum_p) - (a.student[k] - log_sum_q);
    sum += static_cast<double>(p[k] * log_ratio);
    a.student[k] = q[k] - p[k];
  }
  return sum;
}

/// Σ over the classes of KL of (σ(z_T), 1-σ(z_T)) and (σ(z_S), 1-σ(z_S)), where
/// log σ(z) = -softplus(-z) and log(1-σ(z)) = -softplus(z); q - p goes into `student`.
double sigmoid_divergence(const Answers& a) {
  double sum = 0;
  for (std::size_t k = 0; k < a.teacher.size(); ++k) {
    const float t = a.teacher[k], s = a.student[k];
    const float yes = loss::sigmoid(t), no = loss::sigmoid(-t);
    sum += static_cast<double>(yes * (loss::softplus(-s) - loss::softplus(-t)) +
                               no * (loss::softplus(s) - loss::softplus(t)));
    a.student[k] = loss::sigmoid(s) - yes;
  }
  return sum;
}

/// T²·KL of a picture's answers, and its gradient.
float divergence_of(TopActivation kind, const Answers& a, std::span<float> scratch) {
  const float t = a.temperature;
  for (float& z : a.teacher) z /= t;
  for (float& z : a.student) z /= t;
  const double sum =
      kind == TopActivation::kSigmoid ? sigmoid_divergence(a) : softmax_divergence(a, scratch);
  for (std::size_t k = 0; k < a.d_student.size(); ++k) {
    a.d_student[k] = a.factor * t * a.student[k];
  }
  return t * t * static_cast<float>(sum);
}

}  // namespace

void check(const DistillLossOptions& o) {
  require(o.feature_weight >= 0 && o.feature_weight <= 1e6f,
          fmt::format("a feature weight of {:g}; 0 to 1e6", o.feature_weight));
  require(o.answer_weight >= 0 && o.answer_weight <= 1e6f,
          fmt::format("an answer weight of {:g}; 0 to 1e6", o.answer_weight));
  require(o.feature_weight > 0 || o.answer_weight > 0,
          "a feature weight and an answer weight of 0 leave nothing to learn");
  require(o.temperature >= 0.01f && o.temperature <= 1000,
          fmt::format("a temperature of {:g}; 0.01 to 1000", o.temperature));
}

DistillLoss::DistillLoss(const ClassifierTop& top, std::span<const float> scale,
                         const DistillLossOptions& options)
    : options_(options), top_(top), answers_(top.answers) {
  check(options);
  require(scale.size() == top_.features(),
          fmt::format("{} scales for {} channels of features", scale.size(), top_.features()));
  for (const float value : scale) {
    require(value > 0 && std::isfinite(value),
            fmt::format("a channel's scale is {:g}; above 0", value));
    inverse_scale_.push_back(1 / value);
  }
}

void DistillLoss::feature_part(std::span<const float> teacher, std::span<const float> student,
                               float share, std::span<DistillTerms> terms,
                               std::span<float> d_student) const {
  const std::size_t channels = inverse_scale_.size();
  const float mean = 1 / static_cast<float>(channels);
  for (std::size_t p = 0; p < terms.size(); ++p) {
    const auto t = teacher.subspan(p * channels, channels);
    const auto s = student.subspan(p * channels, channels);
    double sum = 0;
    for (std::size_t c = 0; c < channels; ++c) {
      const float difference = s[c] - t[c];
      sum += static_cast<double>(difference * difference * inverse_scale_[c]);
    }
    terms[p].feature_error = static_cast<float>(sum) * mean;
    if (d_student.empty()) continue;
    const auto d = d_student.subspan(p * channels, channels);
    const float factor = 2 * options_.feature_weight * share * mean;
    for (std::size_t c = 0; c < channels; ++c) {
      d[c] += factor * (s[c] - t[c]) * inverse_scale_[c];
    }
  }
}

void DistillLoss::operator()(std::span<const float> teacher, std::span<const float> student,
                             float share, std::span<DistillTerms> terms,
                             std::span<float> d_student) const {
  const std::size_t classes = top_.classes();
  FixedTop::Outputs of_teacher = top_.forward(teacher), of_student = top_.forward(student);
  std::vector<float> zt = std::move(of_teacher.back()), zs = of_student.back();
  std::vector<float> d_logits(d_student.empty() ? 0 : zs.size()), scratch(2 * classes);
  for (std::size_t p = 0; p < terms.size(); ++p) {
    const auto of_picture = [&](std::vector<float>& values) {
      return values.empty() ? std::span<float>() : std::span(values).subspan(p * classes, classes);
    };
    const Answers answers{.teacher = of_picture(zt),
                          .student = of_picture(zs),
                          .d_student = of_picture(d_logits),
                          .temperature = options_.temperature,
                          .factor = options_.answer_weight * share};
    terms[p].agrees = first_answer(answers.teacher) == first_answer(answers.student);
    terms[p].divergence = divergence_of(answers_, answers, scratch);
  }
  if (!d_student.empty()) top_.backward(of_student, d_logits, d_student);
  feature_part(teacher, student, share, terms, d_student);
}

}  // namespace engraft
