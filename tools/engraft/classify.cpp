#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "engraft/data/csv.h"
#include "engraft/model/classifier.h"
#include "options.h"
#include "terminal.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

/// With so few classes one line a picture says it all.
constexpr std::size_t kFewClasses = 10;

struct ClassifyArguments {
  std::vector<fs::path> pictures;
  int top = 5;
  NetworkOptions network;
  OutputOptions output;
};

/// Folders stand for the files in them, by name; what is hidden is left out.
std::vector<fs::path> expand(const std::vector<fs::path>& given) {
  std::vector<fs::path> files;
  for (const fs::path& path : given) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    std::error_code error;
    std::vector<fs::path> inside;
    for (fs::directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->is_regular_file() && entry->path().filename().string()[0] != '.')
        inside.push_back(entry->path());
    }
    if (error)
      throw Error(ErrorKind::kIo,
                  fmt::format("{}: cannot list this folder: {}", path.string(), error.message()));
    if (inside.empty())
      throw Error(ErrorKind::kNotFound, fmt::format("{}: no files in this folder", path.string()));
    std::ranges::sort(inside);
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

struct Answer {
  fs::path file;
  std::vector<Prediction> predictions;
  std::string error;
};

std::vector<Answer> classify_all(const Classifier& classifier, const ClassifyArguments& arguments,
                                 const std::vector<fs::path>& files, const std::stop_token& stop) {
  std::vector<Answer> answers;
  if (files.size() == 1) {  // all threads on the one picture
    try {
      return {{files[0], classifier.classify_file(files[0], arguments.top), {}}};
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kCancelled) throw;
      return {{files[0], {}, error.what()}};
    }
  }
  TerminalProgress progress;
  progress.begin("Classifying", static_cast<std::int64_t>(files.size()), "pictures");
  const auto outcomes = classifier.classify_files(
      files, [&](std::size_t done) { progress.update(static_cast<std::int64_t>(done), {}); }, stop);
  progress.end();
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (outcomes[i].error.empty()) {
      answers.push_back({files[i], classifier.rank(outcomes[i].probabilities, arguments.top), {}});
    } else {
      answers.push_back(
          {files[i], {}, fmt::format("{}: {}", files[i].string(), outcomes[i].error)});
    }
  }
  return answers;
}

std::string as_json(const std::vector<Answer>& answers) {
  auto list = nlohmann::json::array();
  for (const Answer& answer : answers) {
    nlohmann::json entry{{"file", answer.file.string()}};
    if (!answer.error.empty()) {
      entry["error"] = answer.error;
    } else {
      entry["predictions"] = nlohmann::json::array();
      for (const Prediction& prediction : answer.predictions) {
        entry["predictions"].push_back({{"label", prediction.label},
                                        {"index", prediction.index},
                                        {"probability", prediction.probability}});
      }
    }
    list.push_back(std::move(entry));
  }
  return list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string as_csv(const std::vector<Answer>& answers) {
  std::string text = "file,rank,label,index,probability,error\n";
  for (const Answer& answer : answers) {
    const std::string file = csv_field(answer.file.string());
    if (!answer.error.empty()) text += fmt::format("{},,,,,{}\n", file, csv_field(answer.error));
    for (std::size_t rank = 0; rank < answer.predictions.size(); ++rank) {
      const Prediction& prediction = answer.predictions[rank];
      text += fmt::format("{},{},{},{},{:.9g},\n", file, rank + 1, csv_field(prediction.label),
                          prediction.index, prediction.probability);
    }
  }
  return text;
}

std::string as_blocks(const std::vector<Answer>& answers) {
  std::string text;
  for (const Answer& answer : answers) {
    if (!answer.error.empty()) continue;
    text += styled(printable(answer.file.string()), Style::kBold) + "\n";
    for (const Prediction& prediction : answer.predictions) {
      text += fmt::format("  {:5.1f} %  {}\n", 100 * prediction.probability,
                          printable(prediction.label));
    }
  }
  return text;
}

std::string as_lines(const std::vector<Answer>& answers, const std::vector<std::string>& labels) {
  const std::size_t width = std::ranges::max(labels, {}, &std::string::size).size();
  std::string text;
  for (const Answer& answer : answers) {
    if (!answer.error.empty()) continue;
    const Prediction& best = answer.predictions.front();
    text += fmt::format("{}  {:5.1f} %  {}\n",
                        styled(fmt::format("{:<{}}", printable(best.label), width), Style::kBold),
                        100 * best.probability, printable(answer.file.string()));
  }
  return text;
}

std::string for_people(const std::vector<Answer>& answers, const std::vector<std::string>& labels) {
  return answers.size() > 1 && labels.size() <= kFewClasses ? as_lines(answers, labels)
                                                            : as_blocks(answers);
}

int classify(const ClassifyArguments& arguments, const std::stop_token& stop) {
  const std::vector<fs::path> files = expand(arguments.pictures);
  fs::path model_file;
  {
    TerminalProgress progress;
    model_file = arguments.network.find(progress, stop);
  }
  const Classifier classifier(
      load_model(model_file, arguments.network.load()),
      {.threads = arguments.network.threads, .orientation = arguments.network.orientation});
  const auto& labels = classifier.model().labels;
  if (labels.empty()) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: these weights have no classes (no top); give others with --model",
                            model_file.string()));
  }
  const std::vector<Answer> answers = classify_all(classifier, arguments, files, stop);
  print_result(arguments.output.json  ? as_json(answers)
               : arguments.output.csv ? as_csv(answers)
                                      : for_people(answers, labels));
  bool failed = false;
  for (const Answer& answer : answers) {
    if (answer.error.empty()) continue;
    failed = true;
    fmt::print(stderr, "engraft: {}\n", printable(answer.error));
  }
  return failed ? exit_code(ErrorKind::kBadInput) : 0;
}

}  // namespace

void declare_classify(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("classify", "Say what is in pictures");
  const auto arguments = std::make_shared<ClassifyArguments>();
  sub->add_option("PICTURES", arguments->pictures,
                  "Pictures, or folders of them (JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF)")
      ->required();
  sub->add_option("--top", arguments->top, "How many labels a picture, most probable first [5]")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  arguments->network.declare(*sub);
  arguments->output.declare_json_and_csv(*sub);
  sub->footer(R"(Examples:
  engraft classify photo.jpg
  engraft classify --model runs/photos/model.onnx new/*.jpg
  engraft classify --json --top 1 pictures/

A picture that cannot be read is named on standard error (and has "error" in the JSON); the others are classified all the
same, and the exit code is 4.)");
  sub->callback([&command, arguments] {
    command.run = [&command, arguments] { return classify(*arguments, command.stop); };
  });
}

}  // namespace engraft::cli
