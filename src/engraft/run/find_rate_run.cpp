#include "engraft/run/find_rate_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/memory.h"
#include "engraft/report/drawings.h"
#include "engraft/report/rate_curve.h"
#include "engraft/run/holdout.h"
#include "engraft/run/material.h"
#include "engraft/run/memory_plan.h"
#include "engraft/run/starting_network.h"
#include "engraft/run/validate.h"
#include "engraft/train/freeze.h"
#include "engraft/train/picture_source.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

constexpr int kMostNumbered = 10'000;

void check_rates(const RateSweep& sweep) {
  require_option(sweep.low > 0 && sweep.low <= kHighestSweepRate / 10, "--min", sweep.low,
                 "more than 0 and at most 10, such as 1e-7");
  require_option(sweep.high >= 10 * sweep.low && sweep.high <= kHighestSweepRate, "--max",
                 sweep.high, "at least ten times --min and at most 100, such as 1");
  require_option(sweep.steps >= kFewestSweepSteps && sweep.steps <= kMostSweepSteps, "--steps",
                 sweep.steps,
                 fmt::format("from {} to {}, such as 100", kFewestSweepSteps, kMostSweepSteps));
}

void check_tuning(const FineTuneOptions& options, float highest_rate) {
  require_option(options.batch >= 1 && options.batch <= 65536, "--tune-batch", options.batch,
                 "from 1 to 65536, such as 32");
  require_option(options.weight_decay >= 0 && options.weight_decay * highest_rate < 1,
                 "--tune-weight-decay", options.weight_decay,
                 fmt::format("at least 0 and, for rates up to {:g}, less than {:g}, such as 0.05",
                             highest_rate, 1 / highest_rate));
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

bool is_svg(const fs::path& path) {
  return path.extension() == ".svg";
}

void check_drawing(const FindRateRequest& request) {
  require_drawing();
  const fs::path& drawing = request.drawing;
  if (drawing.empty()) return;
  if (!is_svg(drawing) && drawing.extension() != ".png") {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: the drawing's name must end in .png or .svg", drawing.string()));
  }
  std::error_code error;
  if (fs::is_directory(drawing, error)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: is a folder; --out takes a file", drawing.string()));
  }
  if (request.on_existing == OnExisting::kRefuse && is_there(drawing)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: is there already; choose another name with --out, or replace it "
                            "with --overwrite",
                            drawing.string()));
  }
}

fs::path drawing_of(const FindRateRequest& request) {
  if (!request.drawing.empty()) return request.drawing;
  if (!is_there("rates.png")) return "rates.png";
  for (int i = 1; i < kMostNumbered; ++i) {
    const fs::path numbered = fmt::format("rates.{}.png", i);
    if (!is_there(numbered)) return numbered;
  }
  throw Error(ErrorKind::kUsage, "rates.png: too many of that name; choose another with --out");
}

/// The network with a head trained on the base's features, as train_run()'s.
Network with_trained_head(const Network& base, const Material& material, const TrainingRows& rows,
                          const Holdout& holdout, const TrainOptions& options, Progress& progress,
                          const std::stop_token& stop) {
  const auto train = holdout.samples_in(Subset::kTrain);
  const auto validation = holdout.samples_in(Subset::kValidation);
  const auto groups = rows.row_groups(train);
  const auto train_labels = labels_of(material, train);
  const auto validation_labels = labels_of(material, validation);
  progress.begin("Training the head", options.epochs, "epochs");
  const TrainedHead head = train_head(
      {.values = &rows.values(), .pictures = groups, .labels = train_labels, .views = rows.views()},
      {.values = &material.features, .pictures = validation, .labels = validation_labels},
      static_cast<int>(material.dataset.class_names.size()), options,
      [&](const EpochResult& epoch) {
        progress.update(epoch.epoch, fmt::format("loss {:.4f}", epoch.train_loss));
      },
      stop);
  progress.end();
  return graft(base, head.head);
}

/// A range test: what is asked for, and what it works on.
struct SweepJob {
  const FindRateRequest& request;
  const Network& network;
  const Preprocessing& preprocessing;
  const Material& material;
  std::span<const std::size_t> samples;
};

/// Two networks are in memory, each with all that training needs.
MemoryPlan plan_memory_of(const SweepJob& job, ThreadPool& pool) {
  const std::uint64_t given = job.request.train.memory;
  const std::uint64_t all = given > 0 ? given : available_memory() / 4 * 3;
  return plan_memory(job.network,
                     {.head_epochs = 0, .tuning = job.request.train.fine_tune, .reason = ""},
                     all / 2, pool);
}

RateTest run_sweep(const SweepJob& job, ThreadPool& pool, Progress& progress,
                   const std::stop_token& stop) {
  const MemoryPlan memory = plan_memory_of(job, pool);
  if (!memory.note.empty()) progress.note(memory.note);
  std::vector<fs::path> paths;
  for (const Sample& sample : job.material.dataset.samples) paths.push_back(sample.path);
  DecodeOptions decode = decode_options(job.preprocessing);
  decode.orientation = job.request.train.orientation;
  PictureSource source(paths, {.decode = decode, .memory = memory.pictures});
  BoundaryCache boundaries(memory.boundaries);  // both networks are the same up to the boundary
  const std::vector<int> labels = labels_of(job.material, job.samples);
  FineTuneSpec spec{.network = &job.network,
                    .preprocessing = job.preprocessing,
                    .source = &source,
                    .train = {job.samples, labels},
                    .validation = {},
                    .options = job.request.train.fine_tune,
                    .boundaries = &boundaries,
                    .views_return = true};
  spec.options.micro_batch = memory.micro_batch;
  spec.options.ema = 0;
  FineTuner at_start(spec, pool), tuner(spec, pool);
  const auto batch = static_cast<std::int64_t>(
      std::min(job.samples.size(), static_cast<std::size_t>(tuner.batch())));
  progress.begin("Trying learning rates", batch * job.request.sweep.steps, "pictures");
  std::int64_t done = 0;
  RateTest test = test_rates(
      job.request.sweep,
      [&](float rate) {
        const BatchResult before = at_start.step_at(0);  // a rate of 0: it stays what it is
        const BatchResult now = tuner.step_at(rate);
        return BatchLosses{.now = now.finite() ? now.loss : std::numeric_limits<float>::infinity(),
                           .at_start = before.loss};
      },
      [&](const RatePoint& point) {
        progress.update(done += batch,
                        fmt::format("rate {}  loss {:.4f} ({:+.4f})", rate_text(point.rate),
                                    point.losses.now, point.change));
      },
      stop);
  progress.end();
  return test;
}

std::string verdict_of(const RateTest& test, const RateSuggestion& suggestion,
                       const RateSweep& sweep) {
  switch (suggestion.verdict) {
    case RateVerdict::kFound:
      return "";
    case RateVerdict::kStillFalling:
      return fmt::format("The loss was still falling at the highest rates: try more with --max {}.",
                         rate_text(std::min(double{kHighestSweepRate}, 10 * double{sweep.high})));
    case RateVerdict::kRoseAtOnce:
      return fmt::format("The loss rose from the lowest rates on: begin lower, with --min {}.",
                         rate_text(double{sweep.low} / 1000));
    case RateVerdict::kNeverFell:
      break;
  }
  return fmt::format(
      "The loss ({:.3g}) fell at no rate by more than chance, so there is none to suggest. The "
      "pictures may be learned as far as they can be; --steps {} would look closer.",
      test.level, std::min(3 * sweep.steps, kMostSweepSteps));
}

/// What was done, in small on the drawing.
std::string settings_text(const FindRateSummary& summary, const FineTuneOptions& options) {
  return fmt::format("{} pictures in batches of {}, {}, fine-tuning from '{}' on", summary.pictures,
                     options.batch, title_of(options.optimizer), options.from);
}

RateCurve curve_of(const FindRateSummary& summary, const FindRateRequest& request) {
  RateCurve curve;
  curve.title = "Loss by learning rate";
  curve.remark = settings_text(summary, request.train.fine_tune);
  const RateTest& test = summary.test;
  for (std::size_t i = 0; i < test.points.size(); ++i) {
    curve.points.push_back(
        {.rate = double{test.points[i].rate}, .loss = test.loss(i), .smoothed = test.smoothed(i)});
  }
  const RateSuggestion& suggestion = summary.suggestion;
  if (!suggestion.found()) {
    curve.verdict = "no suggestion";
    return curve;
  }
  const auto mark = [&](double rate, const char* what, RateMark::Kind kind) {
    curve.marks.push_back(
        {.rate = rate, .label = fmt::format("{} {}", what, rate_text(rate)), .kind = kind});
  };
  mark(double{suggestion.rate}, "suggestion", RateMark::Kind::kSuggestion);
  mark(double{test.points[suggestion.minimum].rate}, "lowest", RateMark::Kind::kLandmark);
  const double steepest = double{test.points[suggestion.steepest].rate};
  if (rate_text(steepest) != rate_text(double{suggestion.rate})) {
    mark(steepest, "falls fastest", RateMark::Kind::kLandmark);
  }
  return curve;
}

void write_drawing(const Drawing& drawing, const fs::path& name, AtomicFile& file) {
  if (is_svg(name)) {
    file.write(to_svg(drawing));
  } else {
    file.write(to_png(drawing));
  }
  file.commit();
}

}  // namespace

std::string rate_text(double rate) {
  if (rate >= 9.95) return fmt::format("{:.0f}", rate);
  if (rate >= 0.0995) return fmt::format("{:.2g}", rate);
  std::string text = fmt::format("{:.1e}", rate);  // "1.0e-04"
  const std::size_t e = text.find('e');
  std::string digits = text.substr(0, e);
  if (digits.ends_with(".0")) digits.resize(digits.size() - 2);
  return fmt::format("{}e{}", digits, std::stoi(text.substr(e + 1)));
}

void validate(const FindRateRequest& request) {
  validate(request.train);
  check_rates(request.sweep);
  check_tuning(request.train.fine_tune, request.sweep.high);
  check_drawing(request);
}

FindRateSummary find_rate_run(const FindRateRequest& request, Progress& progress,
                              const std::stop_token& stop) {
  const auto begin = std::chrono::steady_clock::now();
  validate(request);
  FindRateSummary summary;
  summary.drawing = drawing_of(request);
  AtomicFile file(summary.drawing);  // first: an unwritable place must not cost the computation
  ThreadPool pool(request.train.threads);
  const Model model = load_model(request.train.base, request.train.load);
  const Network base = base_at(model, request.train.level);
  const Network smallest = starting_network(base, request.train, model.preprocessing, 2);
  static_cast<void>(first_trained_node(smallest.graph, request.train.fine_tune.from));  // throws
  const FeatureRequest features{.base = &base,
                                .preprocessing = model.preprocessing,
                                .orientation = request.train.orientation,
                                .cache = request.train.cache};
  const Material material = gather_material(request.train, features, pool, progress, stop);
  const Holdout holdout = hold_out(material, request.train);
  const std::vector<std::size_t> samples = holdout.samples_in(Subset::kTrain);
  const TrainingRows rows(material, samples, request.train, features, pool, progress, stop);
  const Network network =
      with_trained_head(base, material, rows, holdout, request.train.training, progress, stop);
  summary.problems = material.dataset.problems;
  summary.pictures = samples.size();
  summary.test = run_sweep({.request = request,
                            .network = network,
                            .preprocessing = model.preprocessing,
                            .material = material,
                            .samples = samples},
                           pool, progress, stop);
  summary.suggestion = suggest_rate(summary.test, request.sweep);
  summary.verdict = verdict_of(summary.test, summary.suggestion, request.sweep);
  write_drawing(rate_curve(curve_of(summary, request)), summary.drawing, file);
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return summary;
}

}  // namespace engraft
