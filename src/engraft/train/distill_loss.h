#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engraft/train/fixed_top.h"

namespace engraft {

struct DistillLossOptions {
  float feature_weight = 1;  ///< of the error of the features; 0: the answers alone
  float answer_weight = 1;   ///< of the divergence of the answers; 0: the features alone
  float temperature = 1;     ///< of both softmaxes, above 0
};

/// What one picture came to.
struct DistillTerms {
  float feature_error = 0;  ///< mean over the channels of (f_S - f_T)² / scale; 1: knows nothing
  float divergence = 0;     ///< KL(teacher ‖ student) · T², nats
  bool agrees = false;      ///< the same most probable class
};

/// What a student's features lose against the teacher's, both read by the teacher's own classifier,
/// which stays as it is (Chen et al. 2022, "Knowledge Distillation with the Reused Teacher
/// Classifier"), with the answers' divergence beside it (Hinton et al. 2015):
///   L = feature_weight · Σ_c (f_S[c]-f_T[c])²/scale[c] / C
///     + answer_weight · T² · KL(softmax(z_T/T) ‖ softmax(z_S/T)),   z = Wᵀf + b,
/// or what else the classifier's layers make of f. Where each class is answered by itself
/// (sigmoid), the divergence is the sum over the classes of that between "yes" and "no". Usable
/// from many threads at once.
class DistillLoss {
 public:
  /// scale: of each channel, above 0: the variance of the teacher's features, so that all channels
  /// count alike. Throws Error(kUsage) for options out of range and for another number of channels.
  DistillLoss(const ClassifierTop& top, std::span<const float> scale,
              const DistillLossOptions& options);

  /// teacher, student: features [pictures, C]. Writes each picture's terms and, unless d_student is
  /// empty, `share` times the gradient of its loss by its features.
  void operator()(std::span<const float> teacher, std::span<const float> student, float share,
                  std::span<DistillTerms> terms, std::span<float> d_student) const;
  /// L of a picture.
  [[nodiscard]] float value(const DistillTerms& terms) const {
    return options_.feature_weight * terms.feature_error +
           options_.answer_weight * terms.divergence;
  }

 private:
  void feature_part(std::span<const float> teacher, std::span<const float> student, float share,
                    std::span<DistillTerms> terms, std::span<float> d_student) const;

  DistillLossOptions options_;
  FixedTop top_;
  TopActivation answers_;
  std::vector<float> inverse_scale_;
};

/// Throws Error(kUsage) for a value out of its range, naming it.
void check(const DistillLossOptions& options);

}  // namespace engraft
