#include "train.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engraft/base/error.h"
#include "engraft/base/shell_word.h"
#include "engraft/run/unfinished.h"
#include "engraft/run/validate.h"
#include "evaluation_output.h"
#include "resume.h"
#include "terminal.h"
#include "train_output.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

TrainSummary run_or_explain(const TrainRequest& request, Progress& progress,
                            const std::stop_token& stop) {
  try {
    return train_run(request, progress, stop);
  } catch (const Error& error) {
    const bool passes = error.kind() == ErrorKind::kCancelled || error.kind() == ErrorKind::kIo;
    if (!passes || !fs::exists(UnfinishedRun::folder_of(request.run))) throw;
    throw Error(error.kind(), fmt::format("{}; go on with: engraft train --resume {}", error.what(),
                                          shell_path(request.run)));
  }
}

}  // namespace

int train(TrainRequest request, const TrainArguments& arguments, const Command& command) {
  TerminalProgress progress;
  validate(request);  // before a download
  DefaultModel base;
  if (request.recipe != RecipeKind::kFromScratch) {
    base = arguments.network.find(progress, command.stop);
    if (!arguments.base_note.empty()) base.note = arguments.base_note;
    set_base(request, base);
  }
  request.command = begun_command_json(command, {{"model", base.name}, {"model_note", base.note}});
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

void declare_train(CLI::App& app, Command& command) {
  const auto arguments = std::make_shared<TrainArguments>();
  auto* sub = declare_train_options(app, arguments);
  sub->callback([&command, arguments, sub] {
    command.run = [&command, arguments, sub] {
      if (!arguments->resume.empty()) return resume_training(*sub, *arguments, command);
      if (arguments->dataset.folder.empty()) {
        throw Error(ErrorKind::kUsage,
                    "train needs a folder of pictures, or --resume RUN; see engraft train --help");
      }
      refuse_idle_options(*sub, *arguments);
      note_given(*sub, *arguments);
      return train(make_request(*arguments), *arguments, command);
    };
  });
}

}  // namespace engraft::cli
