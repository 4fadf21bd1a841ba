#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/base/memory.h"
#include "engraft/run/unfinished.h"
#include "resume.h"
#include "terminal.h"
#include "train.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

/// Reads what the run was begun with, and goes to where that was.
void read_arguments(const fs::path& unfinished, Command& command,
                    const std::shared_ptr<TrainArguments>& arguments) {
  const auto complete = [&](const CLI::App& app, const nlohmann::json& json) {
    // What was the default then is the model now, whatever the network says today.
    if (arguments->network.model.empty()) {
      arguments->network.model = json.value("model", std::string(kDefaultModel));
    }
    arguments->base_note = json.value("model_note", std::string());
    note_given(*app.get_subcommand("train"), *arguments);
  };
  read_begun_command(unfinished, command,
                     {.declare = [&](CLI::App& app) { declare_train_options(app, arguments); },
                      .complete = complete});
}

}  // namespace

int resume_training(const CLI::App& options, const TrainArguments& given, const Command& command) {
  refuse_beside_resume(options, {"--threads", "--memory", "--json", "--csv"});
  const fs::path run = UnfinishedRun::run_of(given.resume);
  const fs::path folder = UnfinishedRun::folder_of(run);
  if (UnfinishedRun::settle(run)) {
    print_aside(fmt::format("{}: was complete already; removed what was left beside it\n",
                            given.resume.string()));
    return 0;
  }
  if (!UnfinishedRun::is_there(run)) {
    throw Error(ErrorKind::kNotFound, UnfinishedRun::why_not(given.resume));
  }
  Command again{.stop = command.stop, .run = {}, .words = {}};
  const auto arguments = std::make_shared<TrainArguments>();
  read_arguments(folder, again, arguments);
  arguments->resume = run;
  arguments->out = run;
  if (given.network.threads > 0) arguments->network.threads = given.network.threads;
  if (given.output.json || given.output.csv) arguments->output = given.output;
  TrainRequest request = make_request(*arguments);
  // Not in args.json, and so without a say in what the run is: it is the machine's.
  if (!given.tune.memory.empty()) request.memory = parse_memory(given.tune.memory);
  request.resume = true;
  return train(std::move(request), *arguments, again);
}

}  // namespace engraft::cli
