#include "engraft/run/set_aside.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <system_error>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/shell_word.h"
#include "engraft/run/distill_run.h"
#include "engraft/run/unfinished.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

/// The subcommand that the run in a folder was begun by; empty where nothing says so.
std::string begun_by(const fs::path& folder) {
  try {
    const auto command = nlohmann::json::parse(read_text_file(folder / kCommandFile));
    return command.at("command").at(0).get<std::string>();
  } catch (const nlohmann::json::exception&) {
  } catch (const Error&) {
  }
  return {};
}

/// A run, and what --resume calls it.
struct Name {
  fs::path run, resumed;
};

/// Of the run of a distillation, the student gives the name.
Name numbered(const fs::path& run, bool distilled, int number) {
  std::string name = run.filename().string();
  if (!distilled) {
    const fs::path other = run.parent_path() / fmt::format("{}-{}", name, number);
    return {.run = other, .resumed = other};
  }
  if (name.ends_with(kRunOfModelSuffix)) name.resize(name.size() - kRunOfModelSuffix.size());
  const fs::path student = run.parent_path() / fmt::format("{}-{}.onnx", name, number);
  return {.run = run_of_model(student), .resumed = student};
}

fs::path unfinished(const fs::path& run) {
  fs::path folder = run;
  folder += kUnfinishedSuffix;
  return folder;
}

/// Also where the system does not say: advice ends no run.
bool is_free(const Name& name) {
  const auto exists = [](const fs::path& path) {
    std::error_code error;
    return fs::exists(fs::symlink_status(path, error));
  };
  return !exists(name.run) && !exists(name.resumed) && !exists(unfinished(name.run));
}

}  // namespace

std::string set_aside_in_words(const fs::path& earlier, const fs::path& run) {
  const fs::path there = run.parent_path() / earlier.filename();
  const std::string kept =
      fmt::format("An unfinished run of that name is kept as {}", there.string());
  const std::string subcommand = begun_by(earlier);
  if (subcommand != "train" && subcommand != "distill") return kept + ".";
  Name other;
  int number = 0;
  do {
    other = numbered(run, subcommand == "distill", ++number);
  } while (!is_free(other));
  return fmt::format("{}; to go on with it: mv {} {} && engraft {} --resume {}", kept,
                     shell_path(there), shell_path(unfinished(other.run)), subcommand,
                     shell_path(other.resumed));
}

}  // namespace engraft
