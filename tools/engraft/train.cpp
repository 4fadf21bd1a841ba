#include <fmt/format.h>

#include <map>
#include <memory>

#include "choice.h"
#include "commands.h"
#include "engraft/base/file.h"
#include "engraft/run/train_run.h"
#include "engraft/run/unfinished.h"
#include "engraft/run/validate.h"
#include "engraft/version.h"
#include "engraft/zoo/zoo.h"
#include "evaluation_output.h"
#include "options.h"
#include "terminal.h"
#include "tune_options.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

struct TrainArguments {
  DatasetArguments dataset;
  std::string class_names;
  NetworkOptions network;
  OutputOptions output;
  TrainRequest request;
  std::optional<float> dropout;
  std::optional<float> weight_decay, label_smoothing;
  std::string balance;  ///< "", "weights" or "sampling"
  TuneOptions tune;
  std::optional<fs::path> cache;
  bool no_cache = false;
  fs::path out;
  fs::path resume;
};

/// The tutorial's share for a hidden layer; a linear head needs less.
constexpr float kMlpDropout = 0.5f;
/// The default is for decoupled decay, and far too much for a penalty in the gradient.
constexpr float kAdamWeightDecay = 0;

void declare_split(CLI::App& sub, TrainArguments& arguments) {
  TrainRequest& request = arguments.request;
  auto* val = sub.add_option("--val", request.validation,
                             "Share of each class held out for validation [0.2]")
                  ->type_name("SHARE");
  auto* split = sub.add_option("--split", request.split, "Use the split.csv of an earlier run")
                    ->type_name("CSV");
  sub.add_option("--folds", request.folds,
                 "Cross-validation: every picture is held out once in K trainings")
      ->type_name("K")
      ->excludes(val)
      ->excludes(split);
}

void declare_head(CLI::App& sub, TrainArguments& arguments) {
  TrainRequest& request = arguments.request;
  TrainOptions& training = request.training;
  const std::string group = "Head";
  sub.add_option("--features", request.level,
                 "Where the head is set on the base: pooled, logits, probabilities [pooled]")
      ->transform(choice<FeatureLevel>({{"pooled", FeatureLevel::kPooled},
                                        {"logits", FeatureLevel::kLogits},
                                        {"probabilities", FeatureLevel::kProbabilities}}))
      ->type_name("LEVEL")
      ->group(group);
  sub.add_option("--head", training.head,
                 "linear (dropout, dense) or mlp (dense ReLU, dropout, dense) [linear]")
      ->transform(choice<HeadKind>({{"linear", HeadKind::kLinear}, {"mlp", HeadKind::kMlp}}))
      ->type_name("KIND")
      ->group(group);
  sub.add_option("--hidden", training.hidden,
                 fmt::format("Units of the mlp's hidden layer [{}]", training.hidden))
      ->check(CLI::Range(1, 65536))
      ->type_name("N")
      ->group(group);
  sub.add_option("--dropout", arguments.dropout,
                 fmt::format("Share of values dropped in training [{:g}, mlp {:g}]",
                             training.dropout, kMlpDropout))
      ->type_name("SHARE")
      ->group(group);
  sub.add_option("--loss", training.loss,
                 "softmax (cross-entropy) or sigmoid (binary cross-entropy) [softmax]")
      ->transform(
          choice<LossKind>({{"softmax", LossKind::kSoftmax}, {"sigmoid", LossKind::kSigmoid}}))
      ->type_name("KIND")
      ->group(group);
  sub.add_option("--label-smoothing", arguments.label_smoothing,
                 fmt::format("Share of each target spread over all classes [head {:g}, fine-tuning "
                             "{:g}]",
                             training.label_smoothing, FineTuneOptions().label_smoothing))
      ->type_name("SHARE")
      ->group(group);
  sub.add_flag("--balance{weights}", arguments.balance,
               "Rare classes count as much as common ones: by weights, or, in fine-tuning, by "
               "sampling [weights]")
      ->type_name("HOW")
      ->group(group);
  sub.add_option("--views", request.views,
                 "Augmented views of each training picture (crops, mirror images) [0]")
      ->check(CLI::Range(0, 1000))
      ->type_name("K")
      ->group(group);
}

void declare_optimizer(CLI::App& sub, TrainArguments& arguments) {
  TrainOptions& training = arguments.request.training;
  const std::string group = "Training";
  sub.add_option("--epochs", training.epochs, fmt::format("[{}]", training.epochs))
      ->type_name("N")
      ->group(group);
  sub.add_option("--lr", training.learning_rate,
                 fmt::format("Learning rate at its peak [{:g}]", training.learning_rate))
      ->type_name("RATE")
      ->group(group);
  sub.add_option("--batch", training.batch, fmt::format("Pictures a step [{}]", training.batch))
      ->type_name("N")
      ->group(group);
  sub.add_option("--optimizer", training.optimizer,
                 fmt::format("sgd (with momentum), nesterov, adam, adamw, rmsprop [{}]",
                             name_of(training.optimizer)))
      ->transform(choice(by_name(kOptimizerKinds)))
      ->type_name("KIND")
      ->group(group);
  sub.add_option("--momentum", training.momentum,
                 fmt::format("Of sgd and nesterov [{:g}]", training.momentum))
      ->type_name("SHARE")
      ->group(group);
  sub.add_option("--weight-decay", arguments.weight_decay,
                 fmt::format("Of kernels; decoupled, but with adam a penalty in the gradient "
                             "[{:g}, adam {:g}]",
                             training.weight_decay, kAdamWeightDecay))
      ->type_name("RATE")
      ->group(group);
  sub.add_option("--schedule", training.schedule,
                 fmt::format("How the rate runs from its peak: constant, cosine, step (a tenth "
                             "after each third), one-cycle [{}]",
                             name_of(training.schedule)))
      ->transform(choice(by_name(kScheduleKinds)))
      ->type_name("KIND")
      ->group(group);
  sub.add_option(
         "--warmup", training.warmup,
         fmt::format("Share of all steps in which the rate rises; one-cycle has its own [{:g}]",
                     training.warmup))
      ->type_name("SHARE")
      ->group(group);
  sub.add_option(
         "--patience", training.patience,
         fmt::format("Stop after so many epochs without a lower validation loss; 0: never [{}]",
                     training.patience))
      ->type_name("N")
      ->group(group);
  sub.add_option("--seed", training.seed, "Another seed, another split and another start [0]")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->group(group);
}

/// photos/ → "photos"; "." → the name of the current folder.
std::string run_name(const fs::path& folder) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(folder, error);
  const std::string name = (error ? folder : whole).filename().string();
  return name.empty() ? "run" : name;
}

fs::path cache_file(const TrainArguments& arguments) {
  if (arguments.no_cache) return {};
  return arguments.cache.value_or(places_from_environment().cache / "features.sqlite");
}

std::string arguments_json(const TrainArguments& arguments, const TrainRequest& request) {
  const TrainOptions& training = request.training;
  nlohmann::ordered_json json{
      {"engraft", kVersion},
      {"pictures", request.pictures.string()},
      {"labels", request.dataset.labels.string()},
      {"class_names", request.dataset.class_names},
      {"on_bad", request.on_bad == OnBad::kSkip ? "skip" : "fail"},
      {"model",
       arguments.network.model.empty() ? std::string(kDefaultModel) : arguments.network.model},
      {"image_size", arguments.network.image_size
                         ? nlohmann::ordered_json(*arguments.network.image_size)
                         : nlohmann::ordered_json()},
      {"exif", request.orientation == Orientation::kUpright ? "upright" : "ignored"},
      {"val", request.validation},
      {"split", request.split.string()},
      {"folds", request.folds},
      {"features", name_of(request.level)},
      {"views", request.views},
      {"head", name_of(training.head)},
      {"hidden", training.hidden},
      {"dropout", training.dropout},
      {"loss", name_of(training.loss)},
      {"label_smoothing", training.label_smoothing},
      {"balance", training.balance},
      {"optimizer", name_of(training.optimizer)},
      {"lr", training.learning_rate},
      {"momentum", training.momentum},
      {"weight_decay", training.weight_decay},
      {"schedule", name_of(training.schedule)},
      {"warmup", training.warmup},
      {"epochs", training.epochs},
      {"batch", training.batch},
      {"patience", training.patience},
      {"seed", training.seed}};
  json.update(tune_json(request));
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

TrainRequest make_request(const TrainArguments& arguments) {
  TrainRequest request = arguments.request;
  request.pictures = arguments.dataset.folder;
  request.dataset = {.labels = arguments.dataset.labels,
                     .class_names = split_names(arguments.class_names)};
  request.on_bad = arguments.dataset.on_bad;
  request.load = arguments.network.load();
  request.orientation = arguments.network.orientation;
  request.threads = arguments.network.threads;
  request.cache = cache_file(arguments);
  request.run =
      arguments.out.empty() ? fs::path("runs") / run_name(request.pictures) : arguments.out;
  if (arguments.dropout) {
    request.training.dropout = *arguments.dropout;
  } else if (request.training.head == HeadKind::kMlp) {
    request.training.dropout = kMlpDropout;
  }
  if (arguments.weight_decay) {
    request.training.weight_decay = *arguments.weight_decay;
  } else if (request.training.optimizer == OptimizerKind::kAdam) {
    request.training.weight_decay = kAdamWeightDecay;
  }
  if (arguments.label_smoothing) request.training.label_smoothing = *arguments.label_smoothing;
  request.training.balance = !arguments.balance.empty();
  arguments.tune.apply(request, arguments.label_smoothing);
  if (request.training.balance) {
    request.fine_tune.balance =
        arguments.balance == "sampling" ? Balance::kSampling : Balance::kWeights;
  }
  request.arguments = arguments_json(arguments, request);
  return request;
}

void print_json(const TrainSummary& summary) {
  nlohmann::ordered_json result{{"run", summary.run.string()}};
  result.update(accuracy_json(summary.evaluation));
  result["seconds"] = summary.seconds;
  if (!summary.folds.empty()) result["folds"] = summary.folds;
  print_result(result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

/// The training at a glance: first, best and last epoch and some between; results.csv has them all.
std::string history_text(const TrainSummary& summary) {
  constexpr int kRows = 8;
  const int epochs = static_cast<int>(summary.history.size());
  const int every = std::max(1, (epochs + kRows - 1) / kRows);
  std::string text = "epoch    loss  val loss  accuracy  val accuracy\n";
  for (const EpochResult& epoch : summary.history) {
    const bool best = epoch.epoch == summary.best_epoch;
    const bool between = epoch.epoch % every == 0 && epochs - epoch.epoch >= (every + 1) / 2;
    if (!best && epoch.epoch != 1 && epoch.epoch != epochs && !between) continue;
    text += fmt::format("{:5}  {:.4f}  {:8.4f}  {:6.1f} %  {:10.1f} %{}\n", epoch.epoch,
                        epoch.train_loss, epoch.val_loss, 100 * epoch.train_accuracy,
                        100 * epoch.val_accuracy, best ? "  kept" : "");
  }
  return text + "\n";
}

void print_for_people(const TrainSummary& summary) {
  std::string text =
      history_text(summary) + evaluation_text(summary.evaluation, summary.evaluated_on);
  if (!summary.folds.empty()) {
    text += "\nFolds:";
    for (const double fold : summary.folds) text += fmt::format("  {:.1f} %", 100 * fold);
    text += "\n";
  }
  text +=
      fmt::format("\nOne mistake more or less is {:.1f} points.\n", 100.0 / summary.evaluation.n);
  if (!summary.recipe.empty()) text += summary.recipe + "\n";
  for (const std::string& note : summary.notes) text += note + "\n";
  text += fmt::format("\nModel   {}\nReport  {}\nTime    {:.1f} s\n",
                      (summary.run / "model.onnx").string(), (summary.run / "report.html").string(),
                      summary.seconds);
  if (!summary.earlier.empty())
    text += fmt::format("The earlier run is kept as {}\n", summary.earlier.string());
  print_result(text);
}

/// What `--resume` needs to say the same again: the words and where they were said.
std::string command_json(const Command& command) {
  return nlohmann::ordered_json{{"engraft", kVersion},
                                {"directory", fs::current_path().string()},
                                {"command", command.words}}
             .dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

TrainSummary run_or_explain(const TrainRequest& request, Progress& progress,
                            const std::stop_token& stop) {
  try {
    return train_run(request, progress, stop);
  } catch (const Error& error) {
    const bool passes = error.kind() == ErrorKind::kCancelled || error.kind() == ErrorKind::kIo;
    if (!passes || !fs::exists(UnfinishedRun::folder_of(request.run))) throw;
    throw Error(error.kind(), fmt::format("{}; go on with: engraft train --resume {}", error.what(),
                                          request.run.string()));
  }
}

int train(const TrainArguments& arguments, const Command& command) {
  TerminalProgress progress;
  TrainRequest request = make_request(arguments);
  validate(request);  // before a download
  request.resume = !arguments.resume.empty();
  request.command = command_json(command);
  if (request.recipe != RecipeKind::kFromScratch) {
    request.base = arguments.network.find(progress, command.stop);
  }
  const TrainSummary summary = run_or_explain(request, progress, command.stop);
  print_problems(summary.problems);
  if (arguments.output.json) {
    print_json(summary);
  } else if (arguments.output.csv) {
    print_result(per_class_csv(summary.evaluation));
  } else {
    print_for_people(summary);
  }
  return 0;
}

/// All options of the command for one set of arguments.
CLI::App* declare_options(CLI::App& app, const std::shared_ptr<TrainArguments>& arguments) {
  auto* sub = app.add_subcommand("train", "Retrain the network to your own classes");
  arguments->dataset.declare(*sub);
  sub->add_option("--class-names", arguments->class_names,
                  "Names of labels 0, 1, … of the CSV, or the order of the classes")
      ->type_name("A,B,…");
  declare_split(*sub, *arguments);
  sub->add_option("--out", arguments->out,
                  "The run folder [runs/NAME, after the folder of pictures]")
      ->type_name("DIR");
  sub->add_option("--resume", arguments->resume,
                  "Go on with a run that was stopped or killed, with the options that it had")
      ->type_name("RUN");
  sub->add_option("--checkpoint-every", arguments->request.checkpoint_seconds,
                  fmt::format("Seconds between two checkpoints of fine-tuning [{:g}]",
                              arguments->request.checkpoint_seconds))
      ->type_name("SECONDS");
  sub->add_flag("--tensorboard", arguments->request.tensorboard,
                "Also write the curves as TensorBoard event files");
  arguments->network.declare(*sub);
  auto* cache = sub->add_option("--cache", arguments->cache,
                                "Where features are kept between runs [the user's cache]")
                    ->type_name("FILE");
  sub->add_flag("--no-cache", arguments->no_cache, "Compute every feature anew and keep none")
      ->excludes(cache);
  arguments->output.declare(*sub);
  declare_head(*sub, *arguments);
  declare_optimizer(*sub, *arguments);
  arguments->tune.declare(*sub);
  sub->footer(R"(Examples:
  engraft train photos/                                   one folder per class
  engraft train photos/ --labels metadata.csv --class-names clean,dirty
  engraft train photos/ --folds 5                         the most honest figure for a small set
  engraft train photos/ --fine-tune all                   head first, then every layer
  engraft train --resume runs/photos                      after a crash or a Ctrl-C

The run folder gets model.onnx, report.html, curves.png, confusion.png, predictions.png, results.csv, predictions.csv,
split.csv and args.json. Features are kept in the user's cache: a second run computes only what is new.)");
  return sub;
}

/// Runs what an unfinished run's own command line said, at the place where it was said.
int resume(const TrainArguments& given, const Command& command) {
  const fs::path run = fs::absolute(given.resume).lexically_normal();
  const fs::path folder = UnfinishedRun::folder_of(run);
  if (UnfinishedRun::settle(run)) {
    print_aside(fmt::format("{}: was complete already; removed what was left beside it\n",
                            given.resume.string()));
    return 0;
  }
  if (!fs::exists(folder / "command.json")) {
    throw Error(
        ErrorKind::kNotFound,
        fmt::format("{}: there is no unfinished run of that name to resume{}",
                    given.resume.string(), fs::exists(run) ? "; this one is complete" : ""));
  }
  const fs::path file = folder / "command.json";
  Command again{.stop = command.stop, .run = {}, .words = {}};
  const auto arguments = std::make_shared<TrainArguments>();
  CLI::App app;
  try {
    const nlohmann::json json = nlohmann::json::parse(read_text_file(file));
    again.words = json.at("command").get<std::vector<std::string>>();
    fs::current_path(json.at("directory").get<std::string>());
    declare_options(app, arguments);
    app.parse(std::vector<std::string>(again.words.rbegin(), again.words.rend()));
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: damaged; begin the run anew", file.string()));
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::kBadInput, fmt::format("{}: {}", file.string(), error.what()));
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: the run was begun there: {}",
                                                  error.path1().string(), error.code().message()));
  }
  arguments->resume = run;
  arguments->out = run;
  if (given.network.threads > 0) arguments->network.threads = given.network.threads;
  if (given.output.json || given.output.csv) arguments->output = given.output;
  return train(*arguments, again);
}

/// What is said beside --resume must not be at odds with what the run was begun with.
void refuse_other_options(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    const bool allowed = name == "--resume" || name == "--threads" || name == "--json" ||
                         name == "--csv" || name == "--help";
    if (allowed || option->count() == 0) continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("--resume goes on with what the run was begun with; leave out {} (only "
                            "--threads, --json and --csv may be given)",
                            name));
  }
}

}  // namespace

void declare_train(CLI::App& app, Command& command) {
  const auto arguments = std::make_shared<TrainArguments>();
  auto* sub = declare_options(app, arguments);
  sub->callback([&command, arguments, sub] {
    command.run = [&command, arguments, sub] {
      if (!arguments->resume.empty()) {
        refuse_other_options(*sub);
        return resume(*arguments, command);
      }
      if (arguments->dataset.folder.empty()) {
        throw Error(ErrorKind::kUsage,
                    "train needs a folder of pictures, or --resume RUN; see engraft train --help");
      }
      return train(*arguments, command);
    };
  });
}

}  // namespace engraft::cli
