#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "engraft/eval/metrics.h"
#include "engraft/report/drawings.h"

namespace engraft {

/// An epoch that was looked at; NaN: not measured.
struct DistillPoint {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  int epoch = 0;
  /// Shares of views, of pictures held out, where student and teacher agree.
  double agreement = kUnknown, held_out_agreement = kUnknown;
  double probe = kUnknown;  ///< accuracy of a head on the student's features
  double loss = kUnknown, held_out_loss = kUnknown;
};

/// Everything that the report of a distillation shows.
struct DistillRecord {
  std::string title;
  std::vector<DistillPoint> points;
  int held_out = 0;    ///< pictures
  Estimate agreement;  ///< on them
  int probed = 0;      ///< pictures
  Estimate probe, teacher_probe;
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<std::string> notes;
  std::vector<std::pair<std::string, std::string>> problems;  ///< file, what is wrong with it
};

/// Agreement with the teacher and the probe's accuracy over the epochs, and beside them the loss.
[[nodiscard]] Drawing distill_curves(const DistillRecord& record);

/// One self-contained HTML 5 page, as html_report()'s.
[[nodiscard]] std::string distill_page(const DistillRecord& record);

}  // namespace engraft
