#include "engraft/train/distill_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engraft/base/error.h"
#include "engraft/kernels/pointwise.h"
#include "engraft/train/loss.h"

namespace engraft {
namespace {

void require(bool holds, const std::string& what) {
  if (!holds) throw Error(ErrorKind::kUsage, what);
}

Tensor packed(const Pointwise& layer, const float* w, const float* b) {
  Tensor result(Shape{static_cast<std::int64_t>(packed_size(layer))});
  pack(layer, w, b, result.data());
  return result;
}

Tensor transposed(const Tensor& matrix) {
  const auto rows = matrix.shape()[0], columns = matrix.shape()[1];
  Tensor result(Shape{columns, rows});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      result.data()[c * rows + r] = matrix.data()[r * columns + c];
    }
  }
  return result;
}

void multiply(const Pointwise& layer, const Tensor& weights, const float* x, std::size_t rows,
              float* y) {
  pointwise(layer, {.packed = weights.data(),
                    .x = x,
                    .y = y,
                    .pixels = static_cast<std::int64_t>(rows),
                    .first_channel = 0,
                    .last_channel = layer.out});
}

Pointwise layer_of(std::size_t in, std::size_t out) {
  return {.in = static_cast<std::int64_t>(in), .out = static_cast<std::int64_t>(out)};
}

std::ptrdiff_t largest(std::span<const float> values) {
  return std::ranges::max_element(values) - values.begin();
}

struct Answers {
  std::span<float> teacher, student;  ///< logits; student's becomes the gradient by them
  float temperature = 1;
  float factor = 1;  ///< of the gradient
};

/// T²·KL of a picture's answers, and its gradient.
float divergence_of(const Answers& answers, std::span<float> scratch) {
  const std::size_t classes = answers.teacher.size();
  const float t = answers.temperature;
  const std::span<float> p = scratch.first(classes), q = scratch.subspan(classes, classes);
  for (float& z : answers.teacher) z /= t;
  for (float& z : answers.student) z /= t;
  const float log_sum_p = loss::softmax(std::span<const float>(answers.teacher), p);
  const float log_sum_q = loss::softmax(std::span<const float>(answers.student), q);
  double sum = 0;
  for (std::size_t k = 0; k < classes; ++k) {
    const float log_ratio = (answers.teacher[k] - log_sum_p) - (answers.student[k] - log_sum_q);
    sum += static_cast<double>(p[k] * log_ratio);
    answers.student[k] = answers.factor * t * (q[k] - p[k]);
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

DistillLoss::DistillLoss(const LinearTop& top, std::span<const float> scale,
                         const DistillLossOptions& options)
    : options_(options), features_(top.features()), classes_(top.classes()) {
  check(options);
  require(scale.size() == features_,
          fmt::format("{} scales for {} channels of features", scale.size(), features_));
  for (const float value : scale) {
    require(value > 0 && std::isfinite(value),
            fmt::format("a channel's scale is {:g}; above 0", value));
    inverse_scale_.push_back(1 / value);
  }
  forward_ = packed(layer_of(features_, classes_), top.kernel.data(), top.bias.data());
  backward_ = packed(layer_of(classes_, features_), transposed(top.kernel).data(), nullptr);
}

void DistillLoss::feature_part(std::span<const float> teacher, std::span<const float> student,
                               float share, std::span<DistillTerms> terms,
                               std::span<float> d_student) const {
  const float mean = 1 / static_cast<float>(features_);
  for (std::size_t p = 0; p < terms.size(); ++p) {
    const auto t = teacher.subspan(p * features_, features_);
    const auto s = student.subspan(p * features_, features_);
    double sum = 0;
    for (std::size_t c = 0; c < features_; ++c) {
      const float difference = s[c] - t[c];
      sum += static_cast<double>(difference * difference * inverse_scale_[c]);
    }
    terms[p].feature_error = static_cast<float>(sum) * mean;
    if (d_student.empty()) continue;
    const auto d = d_student.subspan(p * features_, features_);
    const float factor = 2 * options_.feature_weight * share * mean;
    for (std::size_t c = 0; c < features_; ++c) {
      d[c] += factor * (s[c] - t[c]) * inverse_scale_[c];
    }
  }
}

void DistillLoss::operator()(std::span<const float> teacher, std::span<const float> student,
                             float share, std::span<DistillTerms> terms,
                             std::span<float> d_student) const {
  const std::size_t count = terms.size();
  const Pointwise forward = layer_of(features_, classes_);
  std::vector<float> logits(2 * count * classes_), scratch(2 * classes_);
  const std::span<float> of_teacher = std::span(logits).first(count * classes_);
  const std::span<float> of_student = std::span(logits).subspan(count * classes_);
  multiply(forward, forward_, teacher.data(), count, of_teacher.data());
  multiply(forward, forward_, student.data(), count, of_student.data());
  for (std::size_t p = 0; p < count; ++p) {
    const Answers answers{.teacher = of_teacher.subspan(p * classes_, classes_),
                          .student = of_student.subspan(p * classes_, classes_),
                          .temperature = options_.temperature,
                          .factor = options_.answer_weight * share};
    terms[p].agrees = largest(answers.teacher) == largest(answers.student);
    terms[p].divergence = divergence_of(answers, scratch);
  }
  if (!d_student.empty()) {
    multiply(layer_of(classes_, features_), backward_, of_student.data(), count, d_student.data());
  }
  feature_part(teacher, student, share, terms, d_student);
}

}  // namespace engraft
