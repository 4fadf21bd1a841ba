#include "engraft/run/split_material.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>
#include <string>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/hash.h"
#include "engraft/data/split.h"
#include "engraft/model/calibrate_model.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

/// Equal for files of equal bytes. Only what has another of its size is read.
std::vector<Digest> cheap_digests(const Dataset& dataset) {
  std::vector<std::uintmax_t> sizes;
  std::map<std::uintmax_t, int> files_of_size;
  for (const Sample& sample : dataset.samples) {
    std::error_code unknown;  // what is wrong with a file shows when it is read
    sizes.push_back(fs::file_size(sample.path, unknown));
    ++files_of_size[sizes.back()];
  }
  std::vector<Digest> digests;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Sample& sample = dataset.samples[i];
    digests.push_back(sha256(std::as_bytes(std::span(sample.name))));
    if (files_of_size[sizes[i]] == 1) continue;
    try {
      digests.back() = sha256(read_file(sample.path));
    } catch (const Error&) {
      continue;
    }
  }
  return digests;
}

/// What is trained on if every picture can be read and none is another's twin but by its bytes: as
/// good as always right, and known before a single one is decoded.
std::vector<std::size_t> likely_trained(const Dataset& dataset, const TrainRequest& request) {
  Material material;
  material.dataset = dataset;
  material.groups = duplicate_groups(cheap_digests(dataset));
  for (const Sample& sample : dataset.samples) material.labels.push_back(sample.label);
  try {
    return hold_out(material, request).trained();
  } catch (const Error&) {
    // Pictures that cannot be read may be all that is in the way.
    std::vector<std::size_t> all(dataset.samples.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
  }
}

std::vector<fs::path> paths_of(const Dataset& dataset, std::span<const std::size_t> samples) {
  std::vector<fs::path> paths;
  for (const std::size_t sample : samples) paths.push_back(dataset.samples[sample].path);
  return paths;
}

/// Whether some of the pictures are held out.
bool any_held_out(std::span<const fs::path> pictures, const SplitMaterial& split) {
  const Dataset& dataset = split.material.dataset;
  std::set<fs::path> held_out;
  for (const Sample& sample : dataset.samples) held_out.insert(sample.path);
  for (const std::size_t sample : split.holdout.trained()) {
    held_out.erase(dataset.samples[sample].path);
  }
  return std::ranges::any_of(pictures,
                             [&](const fs::path& path) { return held_out.contains(path); });
}

}  // namespace

std::vector<std::size_t> calibration_samples(std::span<const std::size_t> samples) {
  const std::size_t count = std::min(samples.size(), kCalibrationPictures);
  std::vector<std::size_t> spread(count);
  for (std::size_t i = 0; i < count; ++i) spread[i] = samples[i * samples.size() / count];
  return spread;
}

ActivationRanges calibrate_on(const Network& network, const Preprocessing& preprocessing,
                              const TrainRequest& request, std::span<const fs::path> pictures,
                              ThreadPool& pool, const std::stop_token& stop) {
  ActivationRanges ranges =
      calibrate(network, preprocessing, request.orientation, pictures, pool, stop);
  if (ranges.empty()) {
    throw Error(ErrorKind::kUsage,
                "--precision int8: this network has no layer that 8-bit integers would make "
                "faster; leave it away");
  }
  return ranges;
}

SplitMaterial gather_and_split(const TrainRequest& request, const FeatureRequest& features,
                               ThreadPool& pool, Progress& progress, const std::stop_token& stop) {
  const Dataset dataset = load_training_set(request);
  SplitMaterial split;
  FeatureRequest wanted = features;
  const auto gather = [&] {
    split.material = gather_material(dataset, request, wanted, pool, progress, stop);
    split.holdout = hold_out(split.material, request);
  };
  const auto calibrate_base = [&](std::span<const fs::path> pictures) {
    split.ranges =
        calibrate_on(*features.base, features.preprocessing, request, pictures, pool, stop);
    wanted.ranges = &split.ranges;
  };
  if (request.precision != Precision::kInt8 || request.recipe == RecipeKind::kFromScratch) {
    gather();
    return split;
  }
  const auto likely = paths_of(dataset, calibration_samples(likely_trained(dataset, request)));
  calibrate_base(likely);
  gather();
  if (any_held_out(likely, split)) {
    calibrate_base(paths_of(split.material.dataset, calibration_samples(split.holdout.trained())));
    gather();
  }
  return split;
}

}  // namespace engraft
