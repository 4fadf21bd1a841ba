#include "engraft/run/distill_material.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/base/rng.h"
#include "engraft/data/listing.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

/// Of fewer pictures none is held out against the draw.
constexpr std::size_t kFewestToHoldOutOf = 3;
constexpr std::uint64_t kHoldOutStream = std::uint64_t{5} << 32;

void add_picture(const fs::path& path, std::vector<fs::path>& found,
                 std::vector<Problem>& problems) {
  if (const std::string objection = picture_objection(path); !objection.empty()) {
    problems.push_back({Problem::Kind::kNotAPicture, path.string(), objection});
    return;
  }
  found.push_back(path);
}

/// Pictures that could be read, each content once; the others become problems.
std::vector<StoredPicture> distinct(std::vector<StoredPicture> stored,
                                    std::span<const fs::path> paths, std::set<Digest>& seen,
                                    std::vector<Problem>& problems) {
  std::vector<StoredPicture> kept;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i].error.empty()) {
      problems.push_back({Problem::Kind::kUndecodable, paths[i].string(), stored[i].error});
    } else if (seen.insert(stored[i].content).second) {
      kept.push_back(std::move(stored[i]));
    }
  }
  return kept;
}

std::size_t bytes_of(std::span<const StoredPicture> pictures) {
  std::size_t bytes = 0;
  for (const StoredPicture& picture : pictures) bytes += picture.image.pixels.size();
  return bytes;
}

void gather_probe(const DistillRequest& request, const PictureStoreOptions& options,
                  ThreadPool& pool, Progress& progress, const std::stop_token& stop,
                  DistillMaterial& material) {
  const Dataset dataset = load_dataset(request.probe, request.probe_dataset);
  material.class_names = dataset.class_names;
  material.problems.insert(material.problems.end(), dataset.problems.begin(),
                           dataset.problems.end());
  std::vector<fs::path> paths;
  for (const Sample& sample : dataset.samples) paths.push_back(sample.path);
  std::vector<StoredPicture> stored = store_pictures(paths, options, pool, progress, stop);
  std::set<Digest> seen;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i].error.empty()) {
      material.problems.push_back(
          {Problem::Kind::kUndecodable, paths[i].string(), stored[i].error});
    } else if (seen.insert(stored[i].content).second) {
      material.labels.push_back(dataset.samples[i].label);
      material.probed.push_back(std::move(stored[i]));
    }
  }
}

/// Pictures drawn between two looks at the stop and at the memory they take.
constexpr std::size_t kAtATime = 64;

/// Throws Error(kUsage) where they take more than options.memory, and Error(kCancelled) on a stop.
void draw_pictures(const DistillRequest& request, const PictureStoreOptions& options,
                   ThreadPool& pool, Progress& progress, const std::stop_token& stop,
                   std::vector<StoredPicture>& pictures) {
  if (request.drawn == 0) return;
  progress.begin("Drawing pictures", static_cast<std::int64_t>(request.drawn), "pictures");
  std::vector<StoredPicture> drawn;
  while (drawn.size() < request.drawn) {
    throw_if_stopped(stop);
    const std::size_t first = drawn.size();
    drawn.resize(std::min(request.drawn, first + kAtATime));
    pool.for_each(drawn.size() - first, [&](std::size_t i, int) {
      StoredPicture& picture = drawn[first + i];
      picture.image = shrunk(request.draw(first + i), options.short_side);
      picture.content = sha256(std::as_bytes(std::span(picture.image.pixels)));
    });
    if (bytes_of(drawn) > options.memory) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{} of {} drawn pictures fill the {} MB of memory that are free for "
                              "them; ask for fewer with --sample-drawn",
                              drawn.size(), request.drawn, options.memory >> 20));
    }
    progress.update(static_cast<std::int64_t>(drawn.size()));
  }
  progress.end();
  std::ranges::move(drawn, std::back_inserter(pictures));
}

/// Of the files that were to be learnt from, why the first could not be.
std::string first_of(std::span<const Problem> problems) {
  if (problems.empty()) return "";
  return fmt::format("; {} could not be used, the first of them {}: {}", problems.size(),
                     problems.front().where, problems.front().what);
}

/// A picture's draw depends on nothing but its content and the seed: others that come or go do not
/// move it. Where a small set's draws hold none out, its lowest draw is.
void hold_out(const DistillRequest& request, std::vector<StoredPicture> pictures,
              DistillMaterial& material) {
  std::vector<double> draws;
  for (const StoredPicture& picture : pictures) {
    Rng rng(request.options.seed, kHoldOutStream, picture.content.leading_bits());
    draws.push_back(static_cast<double>(rng.uniform()));
  }
  double below = request.hold_out;
  if (below > 0 && pictures.size() >= kFewestToHoldOutOf) {
    const double lowest = *std::ranges::min_element(draws);
    if (lowest >= below) below = std::nextafter(lowest, 1.0);
  }
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    (draws[i] < below ? material.held_out : material.pictures).push_back(std::move(pictures[i]));
  }
}

}  // namespace

std::vector<fs::path> find_pictures(std::span<const fs::path> places,
                                    std::vector<Problem>& problems) {
  std::vector<fs::path> found;
  for (const fs::path& place : places) {
    std::error_code error;
    const fs::file_status status = fs::status(place, error);
    if (status.type() == fs::file_type::not_found) {
      throw Error(ErrorKind::kNotFound,
                  fmt::format("{}: no such picture or folder", place.string()));
    }
    if (status.type() != fs::file_type::directory) {
      add_picture(place, found, problems);
      continue;
    }
    const Listing listing = list_folder(place);
    problems.insert(problems.end(), listing.problems.begin(), listing.problems.end());
    for (const std::string& name : listing.files) {
      if (!is_side_file(fs::path(name).filename().string())) {
        add_picture(place / name, found, problems);
      }
    }
  }
  return found;
}

DistillMaterial gather_distill_material(const DistillRequest& request, const DistillMemory& memory,
                                        ThreadPool& pool, Progress& progress,
                                        const std::stop_token& stop) {
  DistillMaterial material;
  PictureStoreOptions options{
      .short_side = memory.short_side, .orientation = request.orientation, .memory = memory.bytes};
  if (!request.probe.empty()) gather_probe(request, options, pool, progress, stop, material);
  const std::size_t of_probe = material.problems.size();
  const std::vector<fs::path> paths = find_pictures(request.pictures, material.problems);
  options.memory -= std::min(options.memory, bytes_of(material.probed));
  std::set<Digest> seen;
  for (const StoredPicture& picture : material.probed) seen.insert(picture.content);
  const std::size_t probed = seen.size();
  const std::size_t problems = material.problems.size();
  std::vector<StoredPicture> pictures = distinct(
      store_pictures(paths, options, pool, progress, stop), paths, seen, material.problems);
  const std::size_t unread = material.problems.size() - problems;
  const std::size_t repeated = paths.size() - unread - (seen.size() - probed);
  if (repeated > 0) {
    material.notes.push_back(fmt::format(
        "{} pictures are the same as others, or as pictures of the probe, and were left out.",
        repeated));
  }
  hold_out(request, std::move(pictures), material);
  options.memory -= std::min(options.memory, bytes_of(material.pictures));
  options.memory -= std::min(options.memory, bytes_of(material.held_out));
  draw_pictures(request, options, pool, progress, stop, material.pictures);
  if (material.pictures.size() < 2) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{} pictures to learn from; distilling needs two at least, and is "
                            "worth it from a few hundred on{}",
                            material.pictures.size(),
                            first_of(std::span(material.problems).subspan(of_probe))));
  }
  return material;
}

}  // namespace engraft
