#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "engraft/run/evaluate_run.h"
#include "evaluation_output.h"
#include "options.h"
#include "terminal.h"

namespace engraft::cli {
namespace {

struct EvaluateArguments {
  DatasetArguments dataset;
  NetworkOptions network;
  PrecisionOption precision;
  OutputOptions output;
};

int evaluate(const EvaluateArguments& arguments, const std::stop_token& stop) {
  TerminalProgress progress;
  const std::filesystem::path model = arguments.network.find(progress, stop).file;
  const EvaluateSummary summary =
      evaluate_run({.pictures = arguments.dataset.folder,
                    .dataset = {.labels = arguments.dataset.labels, .class_names = {}},
                    .on_bad = arguments.dataset.on_bad,
                    .model = model,
                    .load = arguments.network.load(),
                    .precision = arguments.precision.precision,
                    .orientation = arguments.network.orientation,
                    .threads = arguments.network.threads},
                   progress, stop);
  print_problems(summary.problems);
  if (summary.seen_in_training > 0) {
    print_aside(fmt::format(
        "Warning: the model was trained on {} of these pictures; the figures flatter it.\n",
        summary.seen_in_training));
  }
  if (summary.calibrated_on > 0) print_aside(calibration_notice(summary.calibrated_on));
  if (arguments.output.json) {
    nlohmann::ordered_json result{{"model", model.string()}};
    result.update(accuracy_json(summary.evaluation));
    if (summary.in_floats) {
      result["precision"] = name_of(summary.precision);
      result[name_of(Precision::kFloat32)] = accuracy_json(*summary.in_floats);
    }
    result["seconds"] = summary.seconds;
    result["balanced_accuracy"] = summary.evaluation.balanced_accuracy.value;
    result["seen_in_training"] = summary.seen_in_training;
    result["per_class"] = per_class_json(summary.evaluation);
    print_result(result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else if (arguments.output.csv) {
    print_result(per_class_csv(summary.evaluation));
  } else {
    print_result(evaluation_text({.evaluation = summary.evaluation,
                                  .on = fmt::format("{} pictures", summary.evaluation.n),
                                  .in_floats = summary.in_floats}));
  }
  return 0;
}

}  // namespace

void declare_evaluate(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand(
      "evaluate", "Say how well a model does on labelled pictures that it has not seen");
  const auto arguments = std::make_shared<EvaluateArguments>();
  arguments->dataset.declare(*sub);
  arguments->network.declare(*sub);
  sub->get_option("--model")->required()->description(
      "A model file, a name from 'engraft models', or an http(s) address");
  sub->get_option("PICTURES")->required();
  arguments->precision.declare(
      *sub,
      "float32, or int8, beside which float32's accuracy is printed [what the model was made for]");
  arguments->output.declare(*sub);
  sub->footer(R"(Examples:
  engraft evaluate --model runs/photos/model.onnx test/
  engraft evaluate --model runs/photos/model.onnx more/ --labels labels.csv --json

Class folders and labels must be the model's; labels 0, 1, … in a CSV are its classes in order.)");
  sub->callback([&command, arguments] {
    command.run = [&command, arguments] { return evaluate(*arguments, command.stop); };
  });
}

}  // namespace engraft::cli
