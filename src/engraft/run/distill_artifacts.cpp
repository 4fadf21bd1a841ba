#include "engraft/run/distill_artifacts.h"

#include <fmt/format.h>

#include <cmath>

#include "engraft/base/file.h"
#include "engraft/report/distill_report.h"

namespace engraft {
namespace {

std::string cell(double value) {
  return std::isnan(value) ? std::string() : fmt::format("{:.6g}", value);
}

std::string size_text(const Preprocessing& view) {
  return fmt::format("{} × {}", view.width, view.height);
}

/// The epochs that were looked at.
std::vector<DistillPoint> points_of(const DistillRequest& request,
                                    const std::vector<DistillResult>& history) {
  const DistillLossOptions& loss = request.options.loss;
  const auto value = [&](double feature_error, double divergence) {
    return static_cast<double>(loss.feature_weight) * feature_error +
           static_cast<double>(loss.answer_weight) * divergence;
  };
  std::vector<DistillPoint> points;
  for (const DistillResult& r : history) {
    if (std::isnan(r.held_out_agreement) && std::isnan(r.probe)) continue;
    points.push_back({.epoch = r.epoch,
                      .agreement = r.agreement,
                      .held_out_agreement = r.held_out_agreement,
                      .probe = r.probe,
                      .loss = value(r.feature_error, r.divergence),
                      .held_out_loss = value(r.held_out_feature_error, r.held_out_divergence)});
  }
  return points;
}

DistillRecord record_of(const DistillRequest& request, const DistillNetworks& networks,
                        const DistillSummary& summary) {
  const DistillOptions& o = request.options;
  DistillRecord record;
  record.title = request.out.filename().string();
  record.points = points_of(request, summary.history);
  record.held_out = static_cast<int>(summary.held_out);
  record.agreement = summary.agreement;
  record.probed = static_cast<int>(summary.probed);
  record.probe = summary.probe;
  record.teacher_probe = summary.teacher_probe;
  record.facts = {
      {"Teacher", fmt::format("{}, looking at {}", request.teacher.filename().string(),
                              size_text(networks.teacher_view))},
      {"Student",
       fmt::format("{}, looking at {}", networks.student_from, size_text(networks.student_view))},
      {"Pictures", fmt::format("{}, and {} held out", summary.pictures, summary.held_out)},
      {"Views", o.views > 0 ? fmt::format("{} of each picture, which come again", o.views)
                            : "all different"},
      {"Augmentation", fmt::format("{}; {:.0f} % of the pictures mixed", summary_of(o.augmentation),
                                   100 * static_cast<double>(o.mixed))},
      {"Loss", fmt::format("{:g} × error of the features + {:g} × divergence of the answers at "
                           "temperature {:g}",
                           o.loss.feature_weight, o.loss.answer_weight, o.loss.temperature)},
      {"Training",
       fmt::format("{} epochs, batches of {}, {} at a rate of {:g}", summary.history.size(),
                   o.batch, title_of(o.optimizer), o.learning_rate)}};
  record.notes = summary.notes;
  for (const Problem& problem : summary.problems) {
    record.problems.emplace_back(problem.where, problem.what);
  }
  return record;
}

}  // namespace

std::string distill_csv(const std::vector<DistillResult>& history) {
  std::string csv =
      "epoch,learning_rate,feature_error,divergence,agreement,held_out_feature_error,"
      "held_out_divergence,held_out_agreement,probe,seconds\n";
  for (const DistillResult& r : history) {
    csv += fmt::format("{},{},{},{},{},{},{},{},{},{:.2f}\n", r.epoch, cell(r.learning_rate),
                       cell(r.feature_error), cell(r.divergence), cell(r.agreement),
                       cell(r.held_out_feature_error), cell(r.held_out_divergence),
                       cell(r.held_out_agreement), cell(r.probe), r.seconds);
  }
  return csv;
}

void write_distill_artifacts(const DistillRequest& request, const DistillNetworks& networks,
                             const DistillSummary& summary, const RunFolder& folder) {
  const DistillRecord record = record_of(request, networks, summary);
  write_file_atomic(folder / "args.json", request.arguments);
  write_file_atomic(folder / "curves.png", to_png(distill_curves(record)));
  write_file_atomic(folder / "report.html", distill_page(record));
  write_file_atomic(folder / "results.csv", distill_csv(summary.history));
}

}  // namespace engraft
