#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/memory.h"
#include "engraft/run/unfinished.h"
#include "terminal.h"
#include "train.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

void go_to(const fs::path& folder) {
  std::error_code error;
  fs::current_path(folder, error);
  if (!error) return;
  throw Error(ErrorKind::kNotFound,
              fmt::format("{}: the run was begun there: {}; put the folder back, or begin the run "
                          "anew",
                          folder.string(), error.message()));
}

/// Reads what the run was begun with, and goes to where that was.
void read_command(const fs::path& file, Command& command,
                  const std::shared_ptr<TrainArguments>& arguments) {
  CLI::App app;
  try {
    const nlohmann::json json = nlohmann::json::parse(read_text_file(file));
    command.words = json.at("command").get<std::vector<std::string>>();
    go_to(json.at("directory").get<std::string>());
    declare_train_options(app, arguments);
    app.parse(std::vector<std::string>(command.words.rbegin(), command.words.rend()));
    // What was the default then is the model now, whatever the network says today.
    if (arguments->network.model.empty()) {
      arguments->network.model = json.value("model", std::string(kDefaultModel));
    }
    arguments->base_note = json.value("model_note", std::string());
    note_given(*app.get_subcommand("train"), *arguments);
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: damaged; begin the run anew", file.string()));
  } catch (const CLI::Error& error) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: {}; begin the run anew", file.string(), error.what()));
  }
}

/// What is said beside --resume must not be at odds with what the run was begun with.
void refuse_other_options(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    const bool allowed = name == "--resume" || name == "--threads" || name == "--memory" ||
                         name == "--json" || name == "--csv" || name == "--help";
    if (allowed || option->count() == 0) continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("--resume goes on with what the run was begun with; leave out {} (only "
                            "--threads, --memory, --json and --csv may be given)",
                            name));
  }
}

}  // namespace

int resume_training(const CLI::App& options, const TrainArguments& given, const Command& command) {
  refuse_other_options(options);
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
  read_command(folder / "command.json", again, arguments);
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
