#include "engraft/run/distill_artifacts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engraft/base/file.h"
#include "engraft/report/distill_report.h"
#include "engraft/run/training_pictures.h"

namespace engraft {
namespace {

std::string cell(double value) {
  return std::isnan(value) ? std::string() : fmt::format("{:.6g}", value);
}

std::string size_text(const Preprocessing& view) {
  return fmt::format("{} × {}", view.width, view.height);
}

bool looked_at(const DistillResult& result) {
  return !std::isnan(result.held_out_agreement) || !std::isnan(result.probe);
}

/// The epochs that were looked at; all where there was nothing to look at.
std::vector<DistillPoint> points_of(const DistillRequest& request,
                                    const std::vector<DistillResult>& history) {
  const DistillLossOptions& loss = request.options.loss;
  const auto value = [&](double feature_error, double divergence) {
    return static_cast<double>(loss.feature_weight) * feature_error +
           static_cast<double>(loss.answer_weight) * divergence;
  };
  const bool any = std::ranges::any_of(history, looked_at);
  std::vector<DistillPoint> points;
  for (const DistillResult& r : history) {
    if (any && !looked_at(r)) continue;
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

void write_student(const DistillRequest& request, const DistillNetworks& networks,
                   const DistillMaterial& material, const Distiller& distiller) {
  Model model = student_model(networks, distiller.student());
  const Network& teacher = networks.teacher.features;
  auto& said = model.provenance;
  said["source"] = "engraft distill";
  said["student"] = networks.student_from;
  said["teacher"] = request.teacher.filename().string();
  said["teacher_fingerprint"] = fingerprint(teacher.graph, teacher.weights).hex();
  said["teacher_size"] = std::to_string(networks.teacher_view.width);
  said["seed"] = std::to_string(request.options.seed);
  said["epochs"] = fmt::format("{} of {}", distiller.history().size(), distiller.epochs());
  said["trained_on"] = fmt::format("{} pictures without labels", material.pictures.size());
  std::vector<Digest> contents;
  for (const StoredPicture& picture : material.pictures) contents.push_back(picture.content);
  said[std::string(kTrainingPicturesKey)] = encode_training_pictures(contents);
  save_model(model, request.out);
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
