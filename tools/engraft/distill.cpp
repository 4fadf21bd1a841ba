#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "distill_options.h"
#include "engraft/base/error.h"
#include "engraft/base/memory.h"
#include "engraft/base/shell_word.h"
#include "engraft/run/unfinished.h"
#include "engraft/sample/plates.h"
#include "engraft/zoo/zoo.h"
#include "options.h"
#include "resume.h"
#include "terminal.h"
#include "tune_options.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

/// Drawn pictures are as large as photos are kept in memory.
constexpr Size kDrawnSize{320, 240};

int distill(DistillArguments& a, const Command& command) {
  DistillRequest& r = a.request;
  TerminalProgress progress;
  if (a.teacher.empty()) a.teacher = kDefaultModel;
  if (r.student.empty()) r.student = "mobilenet_v2_0.35_128";
  r.arguments = arguments_json(a);
  r.command = begun_command_json(command);
  if (!a.budget.empty()) r.budget = parse_seconds(a.budget);
  if (!a.memory.empty()) r.memory = parse_memory(a.memory);
  r.teacher = find_model(a.teacher, places_from_environment(), progress, command.stop);
  r.draw = [seed = r.options.seed](std::size_t index) {
    return draw_plate(index % 2 == 0 ? Plate::kClean : Plate::kDirty, seed, index, kDrawnSize);
  };
  DistillSummary summary;
  try {
    summary = distill_run(r, progress, command.stop);
  } catch (const Error& error) {
    const bool passes = error.kind() == ErrorKind::kCancelled || error.kind() == ErrorKind::kIo;
    if (!passes || !UnfinishedRun::is_there(run_of_model(r.out))) throw;
    throw Error(error.kind(), fmt::format("{}; go on with: engraft distill --resume {}",
                                          error.what(), shell_path(r.out)));
  }
  print_problems(summary.problems);
  a.json ? print_json(summary) : print_for_people(summary);
  return 0;
}

/// NAME.onnx for NAME, NAME-run and NAME-run.unfinished, which lie there after a crash.
fs::path student_of(const fs::path& named) {
  if (named.extension() == ".onnx") return named;
  std::string name = UnfinishedRun::run_of(named).string();
  if (name.ends_with(kRunOfModelSuffix)) name.resize(name.size() - kRunOfModelSuffix.size());
  return name + ".onnx";
}

int resume_distilling(const CLI::App& sub, const DistillArguments& given, const Command& command) {
  refuse_beside_resume(sub, {"--epochs", "--threads", "--memory", "--json"});
  const fs::path student = student_of(given.resume), run = run_of_model(student);
  if (UnfinishedRun::settle(run)) {
    print_aside(fmt::format("{}: was complete already; removed what was left beside it\n",
                            given.resume.string()));
    return 0;
  }
  if (!UnfinishedRun::is_there(run)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: there is no unfinished run of it to go on with ({})",
                            given.resume.string(), UnfinishedRun::folder_of(run).string()));
  }
  const auto a = std::make_shared<DistillArguments>();
  Command again{.stop = command.stop, .run = {}, .words = {}};
  const fs::path out = fs::absolute(student);
  read_begun_command(UnfinishedRun::folder_of(run), again,
                     {.declare = [&](CLI::App& app) { declare_distill_options(app, a); }});
  if (a->epochs) a->request.options.epochs = *a->epochs;
  a->request.out = out;
  a->request.resume = true;
  a->request.new_epochs = given.epochs;
  if (given.request.threads > 0) a->request.threads = given.request.threads;
  if (!given.memory.empty()) a->memory = given.memory;
  a->json = a->json || given.json;
  return distill(*a, again);
}

}  // namespace

void declare_distill(CLI::App& app, Command& command) {
  const auto arguments = std::make_shared<DistillArguments>();
  auto* sub = declare_distill_options(app, arguments);
  sub->callback([&command, arguments, sub] {
    command.run = [&command, arguments, sub] {
      if (!arguments->resume.empty()) return resume_distilling(*sub, *arguments, command);
      if (arguments->request.pictures.empty() || arguments->request.out.empty()) {
        throw Error(
            ErrorKind::kUsage,
            "distill needs pictures and --out NAME.onnx, or --resume NAME.onnx; see engraft "
            "distill --help");
      }
      if (arguments->epochs) arguments->request.options.epochs = *arguments->epochs;
      return distill(*arguments, command);
    };
  });
}

}  // namespace engraft::cli
