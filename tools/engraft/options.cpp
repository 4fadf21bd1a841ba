#include "options.h"

#include <fmt/format.h>

#include "choice.h"
#include "engraft/base/utf8.h"
#include "terminal.h"

namespace engraft::cli {
namespace {

constexpr std::size_t kShownProblems = 12;

}  // namespace

void NetworkOptions::declare(CLI::App& command) {
  command
      .add_option("-m,--model", model,
                  "A model file, a name from 'engraft models', or an http(s) address [" +
                      std::string(kDefaultModel) + "]")
      ->type_name("FILE|NAME|URL");
  command
      .add_option("--image-size", image_size,
                  "Side of the network's input in pixels, for weights that do not fix it")
      ->type_name("PIXELS")
      ->check(between(32, 1024));
  command
      .add_option("--threads", threads,
                  "Worker threads; results do not depend on it [one per core]")
      ->type_name("N")
      ->check(between(1, 1024));
  command.add_flag_callback(
      "--ignore-exif", [this] { orientation = Orientation::kAsStored; },
      "Take pictures as stored, not turned upright by their EXIF orientation");
}

DefaultModel NetworkOptions::find(Progress& progress, const std::stop_token& stop) const {
  const ZooPlaces places = places_from_environment();
  if (!model.empty()) {
    return {
        .file = find_model(model, places, progress, stop), .name = model, .notice = {}, .note = {}};
  }
  DefaultModel found = find_default_model(places, progress, stop);
  if (!found.notice.empty()) print_aside(printable(found.notice) + "\n");
  return found;
}

void PrecisionOption::declare(CLI::App& command, const std::string& what) {
  command.add_option("--precision", precision, what)
      ->transform(choice<Precision>({{"float32", Precision::kFloat32}, {"int8", Precision::kInt8}}))
      ->type_name("float32|int8");
}

void DatasetArguments::declare(CLI::App& command) {
  command.add_option(
      "PICTURES", folder,
      "Folder of pictures: one folder per class (also under train/, val/, test/), or "
      "any, with labels.csv or metadata.csv in it, or with --labels");
  command
      .add_option("--labels", labels,
                  "CSV of file name and label; looked for in the folder of pictures, too")
      ->type_name("CSV");
  command
      .add_option("--on-bad", on_bad,
                  "What to do with rows and pictures that cannot be used: skip (and list them), or "
                  "fail [skip]")
      ->transform(choice<OnBad>({{"skip", OnBad::kSkip}, {"fail", OnBad::kFail}}))
      ->type_name("skip|fail");
}

void OutputOptions::declare(CLI::App& command) {
  auto* json_flag = command.add_flag("--json", json, "Print the result as JSON");
  command.add_flag("--csv", csv, "Print the result as CSV")->excludes(json_flag);
}

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  std::size_t begin = 0;
  while (!text.empty() && begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    names.push_back(CLI::detail::trim_copy(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return names;
}

std::string percent(const PercentRange& share) {
  return fmt::format("{:.1f} % (95 % interval {:.1f} to {:.1f} %)", 100 * share.value,
                     100 * share.low, 100 * share.high);
}

void print_problems(const std::vector<Problem>& problems) {
  if (problems.empty()) return;
  print_aside(fmt::format(
      "{} in the data; what cannot be used is left out:\n",
      problems.size() == 1 ? "1 problem" : fmt::format("{} problems", problems.size())));
  for (std::size_t i = 0; i < std::min(problems.size(), kShownProblems); ++i) {
    print_aside(
        fmt::format("  {}: {}\n", printable(problems[i].where), printable(problems[i].what)));
  }
  if (problems.size() > kShownProblems) {
    print_aside(fmt::format("  and {} more\n", problems.size() - kShownProblems));
  }
}

}  // namespace engraft::cli
