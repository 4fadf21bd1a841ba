#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engraft/version.h"
#include "engraft/zoo/zoo.h"
#include "train_options.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

/// photos/ → "photos"; "." → the name of the current folder.
std::string run_name(const fs::path& folder) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(folder, error);
  const std::string name = (error ? folder : whole).filename().string();
  return name.empty() ? "run" : name;
}

fs::path cache_file(const TrainArguments& arguments) {
  if (arguments.no_cache) return {};
  return arguments.cache.value_or(places_from_environment().cache / "features.sqlite");
}

nlohmann::ordered_json pictures_json(const TrainArguments& arguments, const TrainRequest& request) {
  const NetworkOptions& network = arguments.network;
  return {{"engraft", kVersion},
          {"pictures", request.pictures.string()},
          {"labels", request.dataset.labels.string()},
          {"class_names", request.dataset.class_names},
          {"on_bad", request.on_bad == OnBad::kSkip ? "skip" : "fail"},
          {"model", network.model.empty() ? std::string(kDefaultModel) : network.model},
          {"image_size", network.image_size ? nlohmann::ordered_json(*network.image_size)
                                            : nlohmann::ordered_json()},
          {"exif", request.orientation == Orientation::kUpright ? "upright" : "ignored"},
          {"val", request.validation},
          {"split", request.split.string()},
          {"folds", request.folds}};
}

nlohmann::ordered_json head_json(const TrainRequest& request) {
  const TrainOptions& training = request.training;
  return {{"features", name_of(request.level)},
          {"views", request.views},
          {"head", name_of(training.head)},
          {"hidden", training.hidden},
          {"dropout", training.dropout},
          {"loss", name_of(training.loss)},
          {"label_smoothing", training.label_smoothing},
          {"balance", training.balance},
          {"optimizer", name_of(training.optimizer)},
          {"lr", training.learning_rate},
          {"momentum", training.momentum},
          {"weight_decay", training.weight_decay},
          {"schedule", name_of(training.schedule)},
          {"warmup", training.warmup},
          {"epochs", training.epochs},
          {"batch", training.batch},
          {"patience", training.patience},
          {"seed", training.seed}};
}

std::string arguments_json(const TrainArguments& arguments, const TrainRequest& request) {
  nlohmann::ordered_json json = pictures_json(arguments, request);
  json.update(head_json(request));
  json.update(tune_json(request));
  if (request.precision != Precision::kFloat32) json["precision"] = name_of(request.precision);
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

TrainRequest make_request(const TrainArguments& arguments) {
  TrainRequest request = arguments.request;
  request.pictures = arguments.dataset.folder;
  request.dataset = {.labels = arguments.dataset.labels,
                     .class_names = split_names(arguments.class_names)};
  request.on_bad = arguments.dataset.on_bad;
  request.load = arguments.network.load();
  request.orientation = arguments.network.orientation;
  request.threads = arguments.network.threads;
  request.precision = arguments.precision.precision.value_or(Precision::kFloat32);
  request.cache = cache_file(arguments);
  request.run =
      arguments.out.empty() ? fs::path("runs") / run_name(request.pictures) : arguments.out;
  if (arguments.dropout) {
    request.training.dropout = *arguments.dropout;
  } else if (request.training.head == HeadKind::kMlp) {
    request.training.dropout = kMlpDropout;
  }
  if (arguments.weight_decay) {
    request.training.weight_decay = *arguments.weight_decay;
  } else if (request.training.optimizer == OptimizerKind::kAdam) {
    request.training.weight_decay = kAdamWeightDecay;
  }
  if (arguments.label_smoothing) request.training.label_smoothing = *arguments.label_smoothing;
  request.training.balance = !arguments.balance.empty();
  arguments.tune.apply(request, arguments.label_smoothing);
  if (request.training.balance) {
    request.fine_tune.balance =
        arguments.balance == "sampling" ? Balance::kSampling : Balance::kWeights;
  }
  request.arguments = arguments_json(arguments, request);
  return request;
}

void set_base(TrainRequest& request, const DefaultModel& base) {
  request.base = base.file;
  request.base_note = base.note;
  auto json = nlohmann::ordered_json::parse(request.arguments);
  json["model"] = base.name;
  request.arguments = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace engraft::cli
