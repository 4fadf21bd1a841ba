#include "engraft/run/artifacts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engraft/base/rng.h"
#include "engraft/data/csv.h"
#include "engraft/data/split.h"
#include "engraft/image/augment.h"
#include "engraft/image/mix.h"
#include "engraft/report/drawings.h"
#include "engraft/report/html.h"
#include "engraft/report/run_record.h"

namespace engraft {
namespace {

constexpr int kShownPredictions = 20;
constexpr int kThumbnailSide = 320;
constexpr std::uint64_t kShownStream =
    0x5348'4F57;  // keeps this draw apart from those of the split

/// An empty field where nothing was measured.
std::string number(float value) {
  return std::isnan(value) ? std::string() : fmt::format("{:.9g}", value);
}

Image thumbnail(const std::filesystem::path& path, Orientation orientation) {
  const Image full =
      read_image(path, {.orientation = orientation, .enough = {kThumbnailSide, kThumbnailSide}});
  const double scale =
      std::min(1.0, static_cast<double>(kThumbnailSide) / std::min(full.width, full.height));
  if (scale == 1.0) return full;
  const auto scaled = [scale](int side) {
    return std::max(1, static_cast<int>(std::lround(side * scale)));
  };
  return resize(full, {scaled(full.width), scaled(full.height)},
                Interpolation::kBilinearAntialiased);
}

/// Positions in held_out of the pictures to show: a fair draw, in the order of their names.
std::vector<std::size_t> draw_shown(std::size_t held_out, std::uint64_t seed) {
  std::vector<std::size_t> positions(held_out);
  std::iota(positions.begin(), positions.end(), std::size_t{0});
  Rng(seed, kShownStream).shuffle(std::span(positions));
  positions.resize(std::min<std::size_t>(positions.size(), kShownPredictions));
  std::ranges::sort(positions);
  return positions;
}

std::vector<std::size_t> mistakes(const FinishedRun& run) {
  std::vector<std::size_t> wrong;
  for (std::size_t i = 0; i < run.result->held_out.size(); ++i) {
    const auto row = run.result->probabilities.row(static_cast<std::int64_t>(i));
    if (best_class(row) != run.material->labels[run.result->held_out[i]]) wrong.push_back(i);
  }
  std::ranges::stable_sort(wrong, std::ranges::greater{}, [&](std::size_t i) {
    return std::ranges::max(run.result->probabilities.row(static_cast<std::int64_t>(i)));
  });
  if (wrong.size() > kShownPredictions) wrong.resize(kShownPredictions);
  return wrong;
}

std::vector<ShownPrediction> show(const FinishedRun& run, std::span<const std::size_t> positions,
                                  ThreadPool& pool) {
  std::vector<ShownPrediction> shown(positions.size());
  pool.for_each(positions.size(), [&](std::size_t i, int) {
    const std::size_t sample = run.result->held_out[positions[i]];
    const auto row = run.result->probabilities.row(static_cast<std::int64_t>(positions[i]));
    const int predicted = best_class(row);
    const Sample& picture = run.material->dataset.samples[sample];
    const auto& names = run.material->dataset.class_names;
    shown[i] = {.picture = thumbnail(picture.path, run.request->orientation),
                .name = picture.name,
                .true_label = names[static_cast<std::size_t>(picture.label)],
                .predicted_label = names[static_cast<std::size_t>(predicted)],
                .probability = row[static_cast<std::size_t>(predicted)]};
  });
  return shown;
}

/// A few training pictures and what augmentation makes of them, epoch by epoch.
AugmentedSheet augmented_sheet(const FinishedRun& run, const Augmentation& augmentation) {
  constexpr std::size_t kRows = 6;
  constexpr int kViews = 6;
  const Material& material = *run.material;
  const Preprocessing& preprocessing = run.model->preprocessing;
  const std::uint64_t seed = run.request->training.seed;
  std::vector<std::size_t> samples =
      run.holdout->folds.empty() ? run.holdout->samples_in(Subset::kTrain) : run.result->held_out;
  Rng(seed, kShownStream, 1).shuffle(std::span(samples));
  DecodeOptions decode = decode_options(preprocessing);
  decode.orientation = run.request->orientation;
  const auto view = [&](std::size_t sample, int epoch) {
    const Image image = read_image(material.dataset.samples[sample].path, decode);
    return augment(
        image, preprocessing, augmentation,
        Rng(seed, static_cast<std::uint64_t>(epoch), material.contents[sample].leading_bits()));
  };
  AugmentedSheet sheet{
      .title = "What the network saw", .summary = summary_of(augmentation), .rows = {}};
  for (std::size_t i = 0; i < std::min(kRows, samples.size()); ++i) {
    const Sample& sample = material.dataset.samples[samples[i]];
    AugmentedRow row{.original = fit(read_image(sample.path, decode), preprocessing),
                     .label = material.dataset.class_names[static_cast<std::size_t>(sample.label)],
                     .views = {}};
    for (int epoch = 1; epoch <= kViews; ++epoch) {
      Rng rng(seed, kShownStream + static_cast<std::uint64_t>(epoch), samples[i]);
      const Mix mix = draw_mix(augmentation, {preprocessing.width, preprocessing.height}, rng);
      AugmentedView shown{.picture = view(samples[i], epoch)};
      if (mix.kind != Mix::Kind::kNone) {
        const std::size_t partner = samples[mix.partner % samples.size()];
        const auto label = static_cast<std::size_t>(material.labels[partner]);
        shown.picture = apply_mix(mix, std::move(shown.picture), view(partner, epoch));
        shown.note =
            fmt::format("{:.0f} % {}", 100 * (1 - mix.share), material.dataset.class_names[label]);
      }
      row.views.push_back(std::move(shown));
    }
    sheet.rows.push_back(std::move(row));
  }
  return sheet;
}

std::string class_counts(const Material& material) {
  std::vector<int> counts(material.dataset.class_names.size());
  for (const int label : material.labels) ++counts[static_cast<std::size_t>(label)];
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    text += fmt::format("{}{} {}", i ? ", " : "", counts[i], material.dataset.class_names[i]);
  }
  return text;
}

std::string split_in_words(const FinishedRun& run) {
  if (!run.holdout->folds.empty())
    return fmt::format("{}-fold cross-validation", run.holdout->fold_count());
  return fmt::format("{} to train, {} for validation, {} for testing",
                     run.holdout->samples_in(Subset::kTrain).size(),
                     run.holdout->samples_in(Subset::kValidation).size(),
                     run.holdout->samples_in(Subset::kTest).size());
}

std::string head_in_words(const TrainOptions& options) {
  return options.head == HeadKind::kLinear
             ? fmt::format("dropout {:g}, dense", options.dropout)
             : fmt::format("dense {} ReLU, dropout {:g}, dense", options.hidden, options.dropout);
}

std::string optimizer_in_words(const TrainOptions& options, int epochs) {
  return fmt::format("{}, rate {:g}, batch {}, weight decay {:g}, {} over {} epochs",
                     title_of(options.optimizer), options.learning_rate, options.batch,
                     options.weight_decay, name_of(options.schedule), epochs);
}

std::string tuning_in_words(const FineTuneOptions& tuning) {
  return fmt::format(
      "from {} on, {}, rate {:g}, batch {}, weight decay {:g}, {} over {} epochs; pictures: {}",
      tuning.from == "all" ? "the first layer" : tuning.from, title_of(tuning.optimizer),
      tuning.learning_rate, tuning.batch, tuning.weight_decay, name_of(tuning.schedule),
      tuning.epochs, summary_of(tuning.augmentation));
}

std::string provenance(const Model& model, const std::string& key) {
  const auto found = model.provenance.find(key);
  return found == model.provenance.end() ? std::string() : found->second;
}

/// What was trained, and with which settings: without a head's where there was none.
std::vector<std::pair<std::string, std::string>> facts_of(const FinishedRun& run) {
  const TrainRequest& request = *run.request;
  const bool has_head = request.recipe != RecipeKind::kFromScratch;
  const Preprocessing& input = run.model->preprocessing;
  std::vector<std::pair<std::string, std::string>> facts{
      {"Pictures",
       fmt::format("{} ({})", run.material->dataset.samples.size(), class_counts(*run.material))},
      {"Split", split_in_words(run)},
      {"Base", provenance(*run.model, "base")},
      {"Network input", fmt::format("{} × {} pixels", input.width, input.height)}};
  if (has_head) {
    facts.emplace_back("Features", name_of(request.level));
    facts.emplace_back("Views",
                       request.views == 0
                           ? "the picture as it is"
                           : fmt::format("the picture as it is and {} augmented", request.views));
    facts.emplace_back("Head", head_in_words(request.training));
    facts.emplace_back("Optimizer", optimizer_in_words(request.training, run.recipe->head_epochs));
  }
  if (const auto& tuning = run.recipe->tuning) {
    facts.emplace_back(has_head ? "Fine-tuning" : "Training", tuning_in_words(*tuning));
  }
  if (run.model->precision == Precision::kInt8) {
    facts.emplace_back(
        "Arithmetic", "8-bit integers, scaled to what training pictures gave; gradients in floats");
  }
  const std::string& reason = run.recipe->reason;
  facts.emplace_back("Recipe", reason.empty() ? "Trained the head alone." : reason);
  facts.emplace_back("Seed", fmt::format("{}", request.training.seed));
  facts.emplace_back("Time", fmt::format("{:.1f} s", run.summary->seconds));
  return facts;
}

RunRecord make_record(const FinishedRun& run, ThreadPool& pool) {
  const TrainSummary& summary = *run.summary;
  RunRecord record;
  record.title = summary.run.filename().string();
  record.class_names = run.material->dataset.class_names;
  for (const EpochResult& epoch : run.result->history) {
    record.curve.push_back(
        {epoch.epoch, epoch.train_loss, epoch.val_loss, epoch.train_accuracy, epoch.val_accuracy});
  }
  record.best_epoch = summary.best_epoch;
  for (const StageStart& stage : summary.stages) {
    record.stages.push_back({stage.name, stage.first_epoch});
  }
  record.evaluation = summary.evaluation;
  record.evaluated_on = summary.evaluated_on;
  record.in_floats = summary.in_floats;
  record.fold_accuracies = summary.folds;
  record.predictions =
      show(run, draw_shown(run.result->held_out.size(), run.request->training.seed), pool);
  record.mistakes = show(run, mistakes(run), pool);
  record.facts = facts_of(run);
  record.notes = summary.notes;
  for (const Problem& problem : summary.problems)
    record.problems.emplace_back(problem.where, problem.what);
  return record;
}

}  // namespace

std::string results_csv(const std::vector<EpochResult>& history,
                        const std::vector<StageStart>& stages) {
  std::string text =
      "epoch,stage,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,seconds\n";
  std::string stage;
  for (const EpochResult& epoch : history) {
    for (const StageStart& start : stages) {
      if (start.first_epoch == epoch.epoch) stage = csv_field(start.name);
    }
    text += fmt::format("{},{},{},{},{},{},{},{:.4f}\n", epoch.epoch, stage,
                        number(epoch.learning_rate), number(epoch.train_loss),
                        number(epoch.train_accuracy), number(epoch.val_loss),
                        number(epoch.val_accuracy), epoch.seconds);
  }
  return text;
}

std::string predictions_csv(const FinishedRun& run) {
  const Dataset& dataset = run.material->dataset;
  const bool folded = !run.holdout->folds.empty();
  std::string text = fmt::format("filename,label,predicted,right{}", folded ? ",fold" : "");
  for (const std::string& name : dataset.class_names) text += "," + csv_field("p_" + name);
  text += "\n";
  for (std::size_t i = 0; i < run.result->held_out.size(); ++i) {
    const std::size_t sample = run.result->held_out[i];
    const auto row = run.result->probabilities.row(static_cast<std::int64_t>(i));
    const int label = dataset.samples[sample].label, predicted = best_class(row);
    text += fmt::format("{},{},{},{}", csv_field(dataset.samples[sample].name),
                        csv_field(dataset.class_names[static_cast<std::size_t>(label)]),
                        csv_field(dataset.class_names[static_cast<std::size_t>(predicted)]),
                        label == predicted ? "yes" : "no");
    if (folded) text += fmt::format(",{}", run.holdout->folds[sample] + 1);
    for (const float probability : row) text += "," + number(probability);
    text += "\n";
  }
  return text;
}

void write_artifacts(const FinishedRun& run, const RunFolder& folder, ThreadPool& pool) {
  save_model(*run.model, folder / "model.onnx");
  if (run.result->last) {
    Model last = *run.model;
    last.network = *run.result->last;
    last.ranges = run.result->last_ranges;
    save_model(last, folder / "last.onnx");
  }
  write_file_atomic(folder / "results.csv", results_csv(run.result->history, run.result->stages));
  write_file_atomic(folder / "predictions.csv", predictions_csv(run));
  write_file_atomic(folder / "split.csv", holdout_csv(*run.holdout, run.material->dataset));
  write_file_atomic(folder / "args.json", run.request->arguments);
  const RunRecord record = make_record(run, pool);
  write_file_atomic(folder / "curves.png", to_png(curves(record)));
  const auto& tuning = run.recipe->tuning;
  if (tuning && tuning->augmentation != Augmentation{}) {
    const Drawing sheet = augmented(augmented_sheet(run, tuning->augmentation));
    write_file_atomic(folder / "augmented.png", to_png(sheet, 1));
  }
  write_file_atomic(folder / "confusion.png", to_png(confusion(record)));
  write_file_atomic(folder / "predictions.png", to_png(predictions(record)));
  write_file_atomic(folder / "report.html", html_report(record));
}

}  // namespace engraft
