#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "choice.h"
#include "commands.h"
#include "engraft/base/shell_word.h"
#include "engraft/run/find_rate_run.h"
#include "engraft/zoo/zoo.h"
#include "options.h"
#include "terminal.h"
#include "tune_options.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

struct FindLrArguments {
  DatasetArguments dataset;
  std::string class_names;
  NetworkOptions network;
  OutputOptions output;
  TuneOptions tune;
  FindRateRequest request;
  std::optional<fs::path> cache;
  bool no_cache = false;
};

/// What `train` must be told as well, for the rate that was found to be the right one.
constexpr std::array kShared{
    "--labels",      "--on-bad",    "--class-names", "--model",          "--image-size",
    "--ignore-exif", "--fine-tune", "--tune-batch",  "--tune-optimizer", "--tune-weight-decay",
    "--layer-decay", "--clip",      "--batch-norm",  "--augment",        "--seed"};

void declare_sweep(CLI::App& sub, FindLrArguments& arguments) {
  RateSweep& sweep = arguments.request.sweep;
  const std::string group = "Sweep";
  sub.add_option("--min", sweep.low, fmt::format("The lowest rate [{}]", rate_text(sweep.low)))
      ->type_name("RATE")
      ->group(group);
  sub.add_option("--max", sweep.high, fmt::format("The highest rate [{}]", rate_text(sweep.high)))
      ->type_name("RATE")
      ->group(group);
  sub.add_option(
         "--steps", sweep.steps,
         fmt::format("Batches, each at a higher rate than the one before [{}]", sweep.steps))
      ->type_name("N")
      ->group(group);
}

void declare_training(CLI::App& sub, FindLrArguments& arguments) {
  TuneOptions& tune = arguments.tune;
  const std::string group = "Fine-tuning, as in 'engraft train'";
  const auto add = [&](const char* name, auto& value, const std::string& what, const char* type) {
    return sub.add_option(name, value, what)->type_name(type)->group(group);
  };
  add("--fine-tune", tune.fine_tune,
      "What is trained: the network from here on: last, all, a block (block_13), or a number of "
      "layers as Keras counts them (100) [last]",
      "FROM");
  add("--tune-batch,--batch", tune.options.batch,
      fmt::format("Pictures a step [{}]", tune.options.batch), "N");
  add("--tune-optimizer,--optimizer", tune.options.optimizer,
      fmt::format("sgd (with momentum), nesterov, adam, adamw, rmsprop [{}]",
                  engraft::name_of(tune.options.optimizer)),
      "KIND")
      ->transform(choice(by_name(kOptimizerKinds)));
  add("--tune-weight-decay,--weight-decay", tune.weight_decay,
      fmt::format("On kernels only [{:g}]", tune.options.weight_decay), "RATE");
  add("--layer-decay", tune.layer_decay,
      "Rate of a block: times this for each block between it and the head", "FACTOR");
  add("--clip", tune.options.clip, "Largest norm of the gradient; 0: any [0]", "NORM");
  add("--batch-norm", tune.batch_norm, "frozen or trainable [frozen]", "MODE")
      ->transform(choice<BatchNormMode>(
          {{"frozen", BatchNormMode::kFrozen}, {"trainable", BatchNormMode::kTrainable}}));
  std::map<std::string, AugmentationPreset> presets;
  for (const AugmentationPreset preset : kAugmentationPresets) {
    presets.emplace(engraft::name_of(preset), preset);
  }
  add("--augment", tune.augment, "none, light, standard or strong [light]", "PRESET")
      ->transform(choice(presets));
  sub.add_option("--seed", arguments.request.train.training.seed, "Another seed, other batches [0]")
      ->check(at_least(0))
      ->type_name("N")
      ->group(group);
  sub.add_option("--memory", tune.memory,
                 "Memory that it may take, such as 2G [three quarters of what is free]")
      ->type_name("BYTES")
      ->group(group);
}

FindRateRequest make_request(const FindLrArguments& arguments) {
  FindRateRequest request = arguments.request;
  TrainRequest& train = request.train;
  train.pictures = arguments.dataset.folder;
  train.dataset = {.labels = arguments.dataset.labels,
                   .class_names = split_names(arguments.class_names)};
  train.on_bad = arguments.dataset.on_bad;
  train.load = arguments.network.load();
  train.orientation = arguments.network.orientation;
  train.threads = arguments.network.threads;
  if (!arguments.no_cache) {
    train.cache = arguments.cache.value_or(places_from_environment().cache / "features.sqlite");
  }
  TuneOptions tune = arguments.tune;
  if (tune.fine_tune.empty()) tune.fine_tune = "last";
  tune.apply(train, std::nullopt);
  return request;
}

/// An option's value as it was given; CLI11 has put numbers in the place of words.
std::string value_of(const CLI::Option& option, const FindLrArguments& arguments) {
  const std::string name = option.get_name();
  const TuneOptions& tune = arguments.tune;
  if (name == "--on-bad") return arguments.dataset.on_bad == OnBad::kSkip ? "skip" : "fail";
  if (name == "--tune-optimizer") return std::string(engraft::name_of(tune.options.optimizer));
  if (name == "--augment") return std::string(engraft::name_of(*tune.augment));
  if (name == "--batch-norm") {
    return *tune.batch_norm == BatchNormMode::kFrozen ? "frozen" : "trainable";
  }
  return option.results().back();
}

/// The `engraft train` that the rate was looked for.
std::string train_command(const CLI::App& sub, const FindLrArguments& arguments, double rate) {
  std::string text = "engraft train " + shell_path(arguments.dataset.folder);
  if (arguments.tune.fine_tune.empty()) text += " --fine-tune last";
  for (const char* name : kShared) {
    const CLI::Option* option = sub.get_option(name);
    if (option->count() == 0) continue;
    text += fmt::format(" {}", name);
    if (option->get_expected_max() > 0) text += " " + shell_word(value_of(*option, arguments));
  }
  return text + " --tune-lr " + rate_text(rate);
}

/// What is special about a step.
std::string remark_on(std::size_t point, const FindRateSummary& summary) {
  const bool found = summary.suggestion.found();
  if (found && point == summary.suggestion.minimum) return "lowest";
  if (found && point == summary.suggestion.steepest) return "falls fastest";
  const bool last = point + 1 == summary.test.points.size();
  return last && summary.test.end == SweepEnd::kDiverged ? "stopped: it rose too far" : "";
}

/// The sweep at a glance: special steps and, apart from them, one for each power of ten.
std::string points_text(const FindRateSummary& summary) {
  const auto& points = summary.test.points;
  constexpr float kApart = 2;  // times the rate
  const auto is_near_special = [&](float rate) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (points[i].rate > rate / kApart && points[i].rate < rate * kApart &&
          !remark_on(i, summary).empty()) {
        return true;
      }
    }
    return false;
  };
  std::string text = "   rate    loss  smoothed\n";
  double shown_power = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < points.size(); ++i) {
    constexpr double kSlack = 1e-6;  // a float of 1e-7 may lie below it
    const double power = std::floor(std::log10(double{points[i].rate}) + kSlack);
    const std::string remark = remark_on(i, summary);
    const bool first_of_power = power > shown_power;
    shown_power = power;
    if (remark.empty() && (!first_of_power || is_near_special(points[i].rate))) continue;
    text += fmt::format("{:>7}  {:6.4f}    {:6.4f}{}{}\n", rate_text(double{points[i].rate}),
                        summary.test.loss(i), summary.test.smoothed(i), remark.empty() ? "" : "  ",
                        remark);
  }
  return text + "\n";
}

std::string suggestion_text(const CLI::App& sub, const FindLrArguments& arguments,
                            const FindRateSummary& summary) {
  const RateSuggestion& suggestion = summary.suggestion;
  std::string text;
  if (!summary.verdict.empty()) text += summary.verdict + "\n";
  if (!suggestion.found()) return text;
  const auto& points = summary.test.points;
  return text + fmt::format(
                    "Falls fastest at  {}\n"
                    "Lowest at         {}, and a tenth of that is {}\n"
                    "Suggested rate    {}, a third of the lowest's\n\n  {}\n",
                    rate_text(double{points[suggestion.steepest].rate}),
                    rate_text(double{points[suggestion.minimum].rate}),
                    rate_text(double{suggestion.tenth_of_minimum}),
                    bold(rate_text(double{suggestion.rate})),
                    train_command(sub, arguments, double{suggestion.rate}));
}

void print_for_people(const CLI::App& sub, const FindLrArguments& arguments,
                      const FindRateSummary& summary) {
  print_result(
      points_text(summary) + suggestion_text(sub, arguments, summary) +
      fmt::format("\nDrawing  {}\nTime     {:.1f} s\n", summary.drawing.string(), summary.seconds));
}

void print_json(const CLI::App& sub, const FindLrArguments& arguments,
                const FindRateSummary& summary) {
  const RateSuggestion& suggestion = summary.suggestion;
  const auto& points = summary.test.points;
  // As decimal numbers of as few digits as a float needs.
  const auto number = [](float value) {
    return nlohmann::ordered_json::parse(fmt::format("{}", value));
  };
  nlohmann::ordered_json result{{"verdict", name_of(suggestion.verdict)},
                                {"suggestion", nullptr},
                                {"steepest", nullptr},
                                {"tenth_of_minimum", nullptr},
                                {"minimum", number(points[suggestion.minimum].rate)},
                                {"command", nullptr},
                                {"diverged", summary.test.end == SweepEnd::kDiverged},
                                {"pictures", summary.pictures},
                                {"drawing", summary.drawing.string()},
                                {"seconds", summary.seconds}};
  if (suggestion.found()) {
    result["suggestion"] = number(suggestion.rate);
    result["steepest"] = number(points[suggestion.steepest].rate);
    result["tenth_of_minimum"] = number(suggestion.tenth_of_minimum);
    result["command"] = train_command(sub, arguments, double{suggestion.rate});
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < points.size(); ++i) {
    list.push_back({{"rate", number(points[i].rate)},
                    {"loss", summary.test.loss(i)},
                    {"smoothed", summary.test.smoothed(i)}});
  }
  result["points"] = std::move(list);
  print_result(result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void print_csv(const FindRateSummary& summary) {
  std::string text = "rate,loss,smoothed\n";
  for (std::size_t i = 0; i < summary.test.points.size(); ++i) {
    text += fmt::format("{:.9g},{:.9g},{:.9g}\n", summary.test.points[i].rate, summary.test.loss(i),
                        summary.test.smoothed(i));
  }
  print_result(text);
}

int find_lr(const CLI::App& sub, const FindLrArguments& arguments, const std::stop_token& stop) {
  TerminalProgress progress;
  FindRateRequest request = make_request(arguments);
  validate(request);  // before a download
  request.train.base = arguments.network.find(progress, stop).file;
  const FindRateSummary summary = find_rate_run(request, progress, stop);
  print_problems(summary.problems);
  if (arguments.output.json) {
    print_json(sub, arguments, summary);
  } else if (arguments.output.csv) {
    print_csv(summary);
  } else {
    print_for_people(sub, arguments, summary);
  }
  return 0;
}

}  // namespace

void declare_find_lr(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand(
      "find-lr", "Find a learning rate for fine-tuning: try many, draw the loss, suggest one");
  const auto arguments = std::make_shared<FindLrArguments>();
  arguments->dataset.declare(*sub);
  sub->get_option("PICTURES")->required();
  sub->add_option("--class-names", arguments->class_names,
                  "Names of labels 0, 1, … of the CSV, or the order of the classes")
      ->type_name("A,B,…");
  auto* out = sub->add_option("--out", arguments->request.drawing,
                              "The drawing, .png or .svg [rates.png; where that is there already, "
                              "rates.1.png and so on]")
                  ->type_name("FILE");
  sub->add_flag_callback(
         "--overwrite", [arguments] { arguments->request.on_existing = OnExisting::kReplace; },
         "Replace FILE where it is there already")
      ->needs(out);
  arguments->network.declare(*sub);
  auto* cache = sub->add_option("--cache", arguments->cache,
                                "Where features are kept between runs [the user's cache]")
                    ->type_name("FILE");
  sub->add_flag("--no-cache", arguments->no_cache, "Compute every feature anew and keep none")
      ->excludes(cache);
  arguments->output.declare(*sub);
  declare_sweep(*sub, *arguments);
  declare_training(*sub, *arguments);
  sub->footer(R"(Examples:
  engraft find-lr photos/                        for engraft train photos/ --fine-tune last --tune-lr …
  engraft find-lr photos/ --fine-tune all --out all.png
  engraft find-lr photos/ --csv > rates.csv      every step: rate, loss, smoothed loss

The head is trained first, as in 'engraft train'. Then each batch is a step at a higher rate than the one before: the loss
falls where rates are right and rises where they are too high. Nothing is kept but the drawing.)");
  sub->callback([&command, sub, arguments] {
    command.run = [&command, sub, arguments] { return find_lr(*sub, *arguments, command.stop); };
  });
}

}  // namespace engraft::cli
