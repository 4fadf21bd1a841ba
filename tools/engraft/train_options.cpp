#include "train_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "choice.h"
#include "engraft/base/error.h"

namespace engraft::cli {
namespace {

void declare_split(CLI::App& sub, TrainArguments& arguments) {
  TrainRequest& request = arguments.request;
  auto* val = sub.add_option("--val", request.validation,
                             "Share of each class held out for validation [0.2]")
                  ->type_name("SHARE");
  auto* split = sub.add_option("--split", request.split, "Use the split.csv of an earlier run")
                    ->type_name("CSV")
                    ->excludes(val);
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
      ->check(between(1, 65536))
      ->type_name("N")
      ->group(group);
  sub.add_option("--dropout", arguments.dropout,
                 fmt::format("Share of values dropped in training [{:g}, mlp {:g}]",
                             training.dropout, kMlpDropout))
      ->type_name("SHARE")
      ->group(group);
}

void declare_targets(CLI::App& sub, TrainArguments& arguments) {
  TrainRequest& request = arguments.request;
  TrainOptions& training = request.training;
  const std::string group = "Head";
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
      ->check(between(0, 1000))
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
}

void declare_schedule(CLI::App& sub, TrainArguments& arguments) {
  TrainOptions& training = arguments.request.training;
  const std::string group = "Training";
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
      ->check(at_least(0))
      ->type_name("N")
      ->group(group);
}

void declare_run(CLI::App& sub, TrainArguments& arguments) {
  sub.add_option("--out", arguments.out, "The run folder [runs/NAME, after the folder of pictures]")
      ->type_name("DIR");
  sub.add_option("--resume", arguments.resume,
                 "Go on with a run that was stopped or killed, with the options that it had")
      ->type_name("RUN");
  sub.add_option("--checkpoint-every", arguments.request.checkpoint_seconds,
                 fmt::format("Seconds between two checkpoints of fine-tuning [{:g}]",
                             arguments.request.checkpoint_seconds))
      ->type_name("SECONDS");
  sub.add_flag("--tensorboard", arguments.request.tensorboard,
               "Also write the curves as TensorBoard event files");
}

void declare_cache(CLI::App& sub, TrainArguments& arguments) {
  auto* cache = sub.add_option("--cache", arguments.cache,
                               "Where features are kept between runs [the user's cache]")
                    ->type_name("FILE");
  sub.add_flag("--no-cache", arguments.no_cache, "Compute every feature anew and keep none")
      ->excludes(cache);
}

/// Of the options of these groups, the first that was given and is none of `of_use`.
const CLI::Option* idle_option(const CLI::App& command, std::initializer_list<const char*> groups,
                               std::initializer_list<const char*> of_use) {
  for (const CLI::Option* option : command.get_options()) {
    const auto names = [&](const std::string& name) {
      return [name](const char* other) { return name == other; };
    };
    if (option->count() > 0 && std::ranges::any_of(groups, names(option->get_group())) &&
        std::ranges::none_of(of_use, names(option->get_name()))) {
      return option;
    }
  }
  return nullptr;
}

}  // namespace

CLI::App* declare_train_options(CLI::App& app, const std::shared_ptr<TrainArguments>& arguments) {
  auto* sub = app.add_subcommand("train", "Retrain the network to your own classes");
  arguments->dataset.declare(*sub);
  sub->add_option("--class-names", arguments->class_names,
                  "Names of labels 0, 1, … of the CSV, or the order of the classes")
      ->type_name("A,B,…");
  declare_split(*sub, *arguments);
  declare_run(*sub, *arguments);
  arguments->network.declare(*sub);
  declare_cache(*sub, *arguments);
  arguments->output.declare(*sub);
  arguments->precision.declare(
      *sub,
      "What the model is made for: float32, or int8, which is faster and whose accuracy is printed "
      "beside float32's [float32]");
  declare_head(*sub, *arguments);
  declare_targets(*sub, *arguments);
  declare_optimizer(*sub, *arguments);
  declare_schedule(*sub, *arguments);
  arguments->tune.declare(*sub);
  sub->footer(R"(Examples:
  engraft train photos/                                   one folder per class
  engraft train photos/ --labels metadata.csv --class-names clean,dirty
  engraft train photos/ --folds 5                         the most honest figure for a small set
  engraft train photos/ --fine-tune all                   head first, then every layer
  engraft train photos/ --precision int8                  a model that answers faster, in 8-bit integers
  engraft train --resume runs/photos                      after a crash or a Ctrl-C

The run folder gets model.onnx, report.html, curves.png, confusion.png, predictions.png, results.csv, predictions.csv,
split.csv and args.json. Features are kept in the user's cache: a second run computes only what is new.)");
  return sub;
}

void note_given(const CLI::App& command, TrainArguments& arguments) {
  TrainRequest& request = arguments.request;
  request.validation_wanted = command.get_option("--val")->count() > 0;
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    const std::string& group = option->get_group();
    const bool tunes = group == kFineTuningGroup || group == kAugmentationGroup;
    if (tunes && option->count() > 0) names.push_back(option->get_name());
  }
  request.tuning_given = fmt::format("{}", fmt::join(names, ", "));
}

void refuse_idle_options(const CLI::App& command, const TrainArguments& arguments) {
  const auto refuse = [](const std::string& name, const std::string& beside,
                         const std::string& instead) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} does nothing with {}; leave it away{}", name, beside, instead));
  };
  if (arguments.tune.from_scratch) {
    const CLI::Option* idle =
        idle_option(command, {"Head", "Training"},
                    {"--loss", "--label-smoothing", "--balance", "--patience", "--seed"});
    if (!idle) return;
    const std::string name = idle->get_name(), tuned = "--tune-" + name.substr(2);
    refuse(name, "--from-scratch, which trains no head",
           command.get_option_no_throw(tuned) ? ", or say " + tuned : "");
  }
  if (arguments.tune.recipe == RecipeKind::kHead) {
    const CLI::Option* idle = idle_option(command, {kFineTuningGroup, kAugmentationGroup}, {});
    if (idle) refuse(idle->get_name(), "--recipe head", ", or the recipe");
  }
}

}  // namespace engraft::cli
