#include "engraft/run/material.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>

#include "engraft/data/split.h"

namespace engraft {
namespace {

std::vector<std::filesystem::path> paths_of(std::span<const Sample> samples) {
  std::vector<std::filesystem::path> paths;
  paths.reserve(samples.size());
  for (const Sample& sample : samples) paths.push_back(sample.path);
  return paths;
}

void require_two_classes(const Dataset& dataset) {
  std::set<int> present;
  for (const Sample& sample : dataset.samples) present.insert(sample.label);
  if (present.size() >= 2) return;
  const std::string found =
      present.empty()
          ? "no readable picture"
          : fmt::format("only pictures of the class '{}'",
                        dataset.class_names.at(static_cast<std::size_t>(*present.begin())));
  throw Error(ErrorKind::kBadInput,
              fmt::format("{}: {}; training needs at least two classes with pictures of each",
                          dataset.folder.string(), found));
}

/// Drops the samples that could not be read, and says so among the problems.
Material keep_readable(Dataset dataset, Features features) {
  Material material;
  std::vector<Sample> readable;
  std::vector<Digest> pixels;
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const PictureStatus& status = features.pictures[i];
    if (!status.error.empty()) {
      dataset.problems.push_back(
          {Problem::Kind::kUndecodable, dataset.samples[i].name, status.error});
      continue;
    }
    rows.push_back(i);
    readable.push_back(dataset.samples[i]);
    pixels.push_back(status.pixels);
    material.contents.push_back(status.content);
    material.labels.push_back(dataset.samples[i].label);
  }
  if (rows.size() == dataset.samples.size()) {
    material.features = std::move(features.values);
  } else {
    material.features =
        Tensor(Shape{static_cast<std::int64_t>(rows.size()), features.values.shape()[1]});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::ranges::copy(features.values.row(static_cast<std::int64_t>(rows[i])),
                        material.features.row(static_cast<std::int64_t>(i)).begin());
    }
  }
  material.groups = duplicate_groups(pixels);
  dataset.samples = std::move(readable);
  material.dataset = std::move(dataset);
  return material;
}

/// Folders that say which pictures validate leave nothing to a share that somebody asked for.
void require_use_of_share(const Dataset& dataset, const TrainRequest& request) {
  const bool says = std::ranges::any_of(
      dataset.samples, [](const Sample& sample) { return sample.subset == Subset::kValidation; });
  if (!request.validation_wanted || !says) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("--val {:g} does nothing: {} has a folder of validation pictures; leave "
                          "it away",
                          request.validation, request.pictures.string()));
}

}  // namespace

Dataset load_training_set(const TrainRequest& request) {
  Dataset dataset = load_dataset(request.pictures, request.dataset);
  require_two_classes(dataset);
  require_use_of_share(dataset, request);
  return dataset;
}

Material gather_material(Dataset dataset, const TrainRequest& request,
                         const FeatureRequest& features, ThreadPool& pool, Progress& progress,
                         const std::stop_token& stop) {
  const std::vector<std::filesystem::path> paths = paths_of(dataset.samples);
  Features extracted = extract_features(features, paths, pool, progress, stop);
  Material material = keep_readable(std::move(dataset), std::move(extracted));
  if (request.on_bad == OnBad::kFail) fail_on_problems(material.dataset);
  require_two_classes(material.dataset);
  return material;
}

Material gather_material(const TrainRequest& request, const FeatureRequest& features,
                         ThreadPool& pool, Progress& progress, const std::stop_token& stop) {
  return gather_material(load_training_set(request), request, features, pool, progress, stop);
}

std::vector<int> labels_of(const Material& material, std::span<const std::size_t> samples) {
  std::vector<int> labels;
  labels.reserve(samples.size());
  for (const std::size_t sample : samples) labels.push_back(material.labels[sample]);
  return labels;
}

Tensor features_of(const Material& material, std::span<const std::size_t> samples) {
  Tensor features(Shape{static_cast<std::int64_t>(samples.size()), material.features.shape()[1]});
  for (std::size_t i = 0; i < samples.size(); ++i) {
    std::ranges::copy(material.features.row(static_cast<std::int64_t>(samples[i])),
                      features.row(static_cast<std::int64_t>(i)).begin());
  }
  return features;
}

TrainingRows::TrainingRows(const Material& material, std::span<const std::size_t> samples,
                           const TrainRequest& request, const FeatureRequest& features,
                           ThreadPool& pool, Progress& progress, const std::stop_token& stop)
    : plain_(&material.features),
      views_(request.views + 1),
      group_of_sample_(material.dataset.samples.size()) {
  if (views_ == 1) {
    std::iota(group_of_sample_.begin(), group_of_sample_.end(), std::size_t{0});
    return;
  }
  std::vector<std::filesystem::path> paths;
  for (const std::size_t sample : samples) paths.push_back(material.dataset.samples[sample].path);
  const Tensor augmented =
      extract_views(features, paths, request.views, request.training.seed, pool, progress, stop);
  const std::int64_t size = material.features.shape()[1];
  owned_ = Tensor(Shape{static_cast<std::int64_t>(samples.size()) * views_, size});
  for (std::size_t group = 0; group < samples.size(); ++group) {
    group_of_sample_[samples[group]] = group;
    const auto first = static_cast<std::int64_t>(group) * views_;
    std::ranges::copy(material.features.row(static_cast<std::int64_t>(samples[group])),
                      owned_.row(first).begin());
    for (int view = 0; view < request.views; ++view) {
      std::ranges::copy(augmented.row(static_cast<std::int64_t>(group) * request.views + view),
                        owned_.row(first + 1 + view).begin());
    }
  }
}

std::vector<std::size_t> TrainingRows::row_groups(std::span<const std::size_t> samples) const {
  std::vector<std::size_t> groups;
  groups.reserve(samples.size());
  for (const std::size_t sample : samples) groups.push_back(group_of_sample_[sample]);
  return groups;
}

}  // namespace engraft
