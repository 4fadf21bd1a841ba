#include "engraft/run/int8_judgement.h"

#include <algorithm>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/run/split_material.h"

namespace engraft {
namespace {

std::vector<std::filesystem::path> paths_of(const TrainingJob& job,
                                            std::span<const std::size_t> samples) {
  std::vector<std::filesystem::path> paths;
  for (const std::size_t sample : samples) {
    paths.push_back(job.material.dataset.samples[sample].path);
  }
  return paths;
}

/// Of pictures that could be read before.
Tensor extract(const TrainingJob& job, const FeatureRequest& request,
               std::span<const std::size_t> samples, Progress& progress) {
  const auto paths = paths_of(job, samples);
  Features found = extract_features(request, paths, job.pool, progress, job.stop);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string& error = found.pictures[i].error;
    if (!error.empty()) throw Error(ErrorKind::kBadInput, paths[i].string() + ": " + error);
  }
  return std::move(found.values);
}

}  // namespace

ActivationRanges calibrate_network(const TrainingJob& job, const Network& network,
                                   std::span<const std::size_t> trained) {
  return calibrate_on(network, job.preprocessing, job.request,
                      paths_of(job, calibration_samples(trained)), job.pool, job.stop);
}

Tensor predict(const TrainingJob& job, const Network& network, const ActivationRanges* ranges,
               std::span<const std::size_t> samples) {
  if (samples.empty()) return {};
  NoProgress unseen;  // the trainings' own is at hand
  return extract(job,
                 {.base = &network,
                  .preprocessing = job.preprocessing,
                  .orientation = job.request.orientation,
                  .ranges = ranges,
                  .cache = {}},
                 samples, unseen);
}

Tensor held_out_features(const TrainingJob& job, const FeatureRequest& in_floats) {
  return extract(job, in_floats, held_out_samples(job.holdout), job.progress);
}

Tensor features_in_floats(const TrainingJob& job, std::span<const std::size_t> samples) {
  const Tensor& all = job.features_in_floats;
  Tensor rows(Shape{static_cast<std::int64_t>(samples.size()), all.shape()[1]});
  const std::vector<std::size_t> held_out = held_out_samples(job.holdout);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto at = std::ranges::lower_bound(held_out, samples[i]) - held_out.begin();
    std::ranges::copy(all.row(at), rows.row(static_cast<std::int64_t>(i)).begin());
  }
  return rows;
}

}  // namespace engraft
