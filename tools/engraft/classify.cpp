#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "choice.h"
#include "commands.h"
#include "engraft/base/utf8.h"
#include "engraft/data/csv.h"
#include "engraft/data/listing.h"
#include "engraft/model/calibrate_model.h"
#include "engraft/model/classifier.h"
#include "engraft/model/prepared_model.h"
#include "engraft/zoo/zoo.h"
#include "evaluation_output.h"
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
  PrecisionOption precision;
  OutputOptions output;
};

struct Answer {
  fs::path file;
  std::vector<Prediction> predictions = {};
  std::string error = {};  ///< empty when it worked
  ErrorKind kind = ErrorKind::kBadInput;
};

/// A folder stands for the files in and below it, by name; what is hidden, and tables and texts
/// that lie beside pictures, are left out. What cannot be read there is an answer, too.
std::vector<Answer> expand(const std::vector<fs::path>& given) {
  std::vector<Answer> questions;
  for (const fs::path& path : given) {
    std::error_code ignored;  // what is wrong with a file shows when it is read
    if (!fs::is_directory(path, ignored)) {
      questions.push_back({.file = path});
      continue;
    }
    const std::size_t before = questions.size();
    const Listing listing = list_folder(path);
    for (const std::string& name : listing.files) {
      if (!is_side_file(name)) questions.push_back({.file = path / name});
    }
    for (const Problem& problem : listing.problems) {
      const fs::path file = path / problem.where;
      questions.push_back(
          {.file = file, .error = fmt::format("{}: {}", file.string(), problem.what)});
    }
    if (questions.size() == before) {
      throw Error(ErrorKind::kNotFound,
                  fmt::format("{}: no pictures in this folder", path.string()));
    }
  }
  return questions;
}

/// A single picture needs no pool of threads and no progress.
void answer_one(const Classifier& classifier, int top, Answer& answer) {
  try {
    answer.predictions = classifier.classify_file(answer.file, top);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    answer.error = error.what();
    answer.kind = error.kind();
  }
}

void answer_many(const Classifier& classifier, int top, std::span<Answer* const> answers,
                 const std::stop_token& stop) {
  std::vector<fs::path> files;
  for (const Answer* answer : answers) files.push_back(answer->file);
  TerminalProgress progress;
  progress.begin("Classifying", static_cast<std::int64_t>(files.size()), "pictures");
  const auto outcomes = classifier.classify_files(
      files, [&](std::size_t done) { progress.update(static_cast<std::int64_t>(done), {}); }, stop);
  progress.end();
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (outcomes[i].error.empty()) {
      answers[i]->predictions = classifier.rank(outcomes[i].probabilities, top);
    } else {
      answers[i]->error = fmt::format("{}: {}", files[i].string(), outcomes[i].error);
      answers[i]->kind = outcomes[i].kind;
    }
  }
}

void answer_all(const Classifier& classifier, int top, std::vector<Answer>& answers,
                const std::stop_token& stop) {
  std::vector<Answer*> open;
  for (Answer& answer : answers) {
    if (answer.error.empty()) open.push_back(&answer);
  }
  if (open.size() == 1) {
    answer_one(classifier, top, *open.front());
  } else if (!open.empty()) {
    answer_many(classifier, top, open, stop);
  }
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
    text += bold(printable(answer.file.string())) + "\n";
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
                        bold(fmt::format("{:<{}}", printable(best.label), width)),
                        100 * best.probability, printable(answer.file.string()));
  }
  return text;
}

std::string for_people(const std::vector<Answer>& answers, const std::vector<std::string>& labels) {
  return answers.size() > 1 && labels.size() <= kFewClasses ? as_lines(answers, labels)
                                                            : as_blocks(answers);
}

/// What to classify in. A model without ranges, where 8-bit integers are asked for, gets them from
/// the pictures.
Precision ready_for_precision(Model& model, const ClassifyArguments& arguments,
                              const std::vector<Answer>& answers, const std::stop_token& stop) {
  const Precision precision = arguments.precision.precision.value_or(model.precision);
  if (precision != Precision::kInt8 || !model.ranges.empty()) return precision;
  std::vector<fs::path> pictures;
  for (const Answer& answer : answers) {
    if (answer.error.empty()) pictures.push_back(answer.file);
  }
  ThreadPool pool(arguments.network.threads);
  try {
    give_ranges(model, arguments.network.orientation, pictures, pool, stop);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kBadInput) {
      return Precision::kFloat32;  // none can be read: each says why
    }
    if (error.kind() != ErrorKind::kUnsupported) throw;
    throw Error(error.kind(), fmt::format("{}: {}", arguments.network.model, error.what()));
  }
  print_aside(calibration_notice(std::min(pictures.size(), kCalibrationPictures)));
  return precision;
}

int classify(const ClassifyArguments& arguments, const std::stop_token& stop) {
  std::vector<Answer> answers = expand(arguments.pictures);
  fs::path model_file;
  {
    TerminalProgress progress;
    model_file = arguments.network.find(progress, stop).file;
  }
  const fs::path cache = places_from_environment().cache;
  Model model = load_prepared_model(model_file, arguments.network.load(),
                                    cache.empty() ? fs::path() : cache / "prepared");
  const Precision precision = ready_for_precision(model, arguments, answers, stop);
  const Classifier classifier(std::move(model), {.threads = arguments.network.threads,
                                                 .orientation = arguments.network.orientation,
                                                 .precision = precision});
  const auto& labels = classifier.model().labels;
  if (labels.empty()) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: these weights have no classes (no top); give others with --model",
                            model_file.string()));
  }
  answer_all(classifier, arguments.top, answers, stop);
  print_result(arguments.output.json  ? as_json(answers)
               : arguments.output.csv ? as_csv(answers)
                                      : for_people(answers, labels));
  int code = 0;
  for (const Answer& answer : answers) {
    if (answer.error.empty()) continue;
    print_error(answer.error);
    if (code == 0) code = exit_code(answer.kind);
  }
  return code;
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
      ->check(between(1, 1'000'000));
  arguments->network.declare(*sub);
  arguments->precision.declare(
      *sub,
      "float32, or int8, which is faster and a little less exact [what the model was made for]");
  arguments->output.declare(*sub);
  sub->footer(R"(Examples:
  engraft classify photo.jpg
  engraft classify --model runs/photos/model.onnx new/*.jpg
  engraft classify --json --top 1 pictures/

A picture that cannot be read is named on standard error (and has "error" in the JSON); the others are classified all the
same, and the exit code is that of the first failure.)");
  sub->callback([&command, arguments] {
    command.run = [&command, arguments] { return classify(*arguments, command.stop); };
  });
}

}  // namespace engraft::cli
