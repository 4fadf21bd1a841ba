#include "engraft/run/evaluate_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "engraft/model/calibrate_model.h"
#include "engraft/run/training_pictures.h"

namespace engraft {
namespace {

/// Pictures of a dataset that could be classified, with what the model said of them.
struct Judged {
  std::vector<int> labels;
  std::vector<const std::vector<float>*> rows;
  std::vector<Digest> contents;
};

/// The parts of a dataset that could be classified; what could not is among its problems.
Judged sort_out(const std::vector<Classifier::Outcome>& outcomes, Dataset& dataset) {
  Judged judged;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].error.empty()) {
      dataset.problems.push_back(
          {Problem::Kind::kUndecodable, dataset.samples[i].name, outcomes[i].error});
      continue;
    }
    judged.labels.push_back(dataset.samples[i].label);
    judged.rows.push_back(&outcomes[i].probabilities);
    judged.contents.push_back(outcomes[i].content);
  }
  return judged;
}

Tensor stack(std::span<const std::vector<float>* const> rows, std::size_t classes) {
  Tensor table(Shape{static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(classes)});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::ranges::copy(*rows[i], table.row(static_cast<std::int64_t>(i)).begin());
  }
  return table;
}

int count_seen(const Model& model, std::span<const Digest> contents) {
  const auto trained = model.provenance.find(std::string(kTrainingPicturesKey));
  if (trained == model.provenance.end()) return 0;
  const std::set<std::string> keys = decode_training_pictures(trained->second);
  int seen = 0;
  for (const Digest& content : contents)
    seen += keys.contains(training_picture_key(content)) ? 1 : 0;
  return seen;
}

std::vector<Classifier::Outcome> classify(const Classifier& classifier,
                                          std::span<const std::filesystem::path> paths,
                                          Progress& progress, const std::stop_token& stop) {
  progress.begin("Classifying", static_cast<std::int64_t>(paths.size()), "pictures");
  auto outcomes = classifier.classify_files(
      paths, [&](std::size_t done) { progress.update(static_cast<std::int64_t>(done)); }, stop);
  progress.end();
  return outcomes;
}

/// How the same pictures come out in float32.
Evaluation evaluate_in_floats(const EvaluateRequest& request, const Model& model,
                              std::span<const std::filesystem::path> paths, const Dataset& dataset,
                              Progress& progress, const std::stop_token& stop) {
  const Classifier in_floats(model, {.threads = request.threads,
                                     .orientation = request.orientation,
                                     .precision = Precision::kFloat32});
  const auto outcomes = classify(in_floats, paths, progress, stop);
  Dataset same = dataset;
  const Judged judged = sort_out(outcomes, same);
  return evaluate(stack(judged.rows, model.labels.size()), judged.labels, model.labels);
}

}  // namespace

EvaluateSummary evaluate_run(const EvaluateRequest& request, Progress& progress,
                             const std::stop_token& stop) {
  const auto start = std::chrono::steady_clock::now();
  Model model = load_model(request.model, request.load);
  if (model.labels.empty()) {
    throw Error(ErrorKind::kBadInput,
                request.model.string() + ": has no classes; give a trained model.onnx");
  }
  DatasetOptions options = request.dataset;
  options.class_names = model.labels;
  Dataset dataset = load_dataset(request.pictures, options);
  std::vector<std::filesystem::path> paths;
  for (const Sample& sample : dataset.samples) paths.push_back(sample.path);

  EvaluateSummary summary;
  summary.precision = request.precision.value_or(model.precision);
  if (summary.precision == Precision::kInt8 && model.ranges.empty()) {
    ThreadPool pool(request.threads);
    try {
      give_ranges(model, request.orientation, paths, pool, stop);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kUnsupported) throw;
      throw Error(error.kind(), fmt::format("{}: {}", request.model.string(), error.what()));
    }
    summary.calibrated_on = std::min(paths.size(), kCalibrationPictures);
  }
  const Classifier classifier(std::move(model), {.threads = request.threads,
                                                 .orientation = request.orientation,
                                                 .precision = summary.precision});
  const auto outcomes = classify(classifier, paths, progress, stop);
  const Judged judged = sort_out(outcomes, dataset);
  if (request.on_bad == OnBad::kFail) fail_on_problems(dataset);
  if (judged.rows.empty()) {
    throw Error(ErrorKind::kBadInput,
                request.pictures.string() + ": none of the pictures can be read");
  }
  summary.class_names = classifier.model().labels;
  summary.evaluation =
      evaluate(stack(judged.rows, summary.class_names.size()), judged.labels, summary.class_names);
  if (summary.precision == Precision::kInt8) {
    summary.in_floats =
        evaluate_in_floats(request, classifier.model(), paths, dataset, progress, stop);
  }
  summary.problems = std::move(dataset.problems);
  summary.seen_in_training = count_seen(classifier.model(), judged.contents);
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return summary;
}

}  // namespace engraft
