#include "engraft/run/distill_material.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/base/rng.h"
#include "engraft/data/listing.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

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

void draw_pictures(const DistillRequest& request, int short_side, ThreadPool& pool,
                   std::vector<StoredPicture>& pictures) {
  const std::size_t first = pictures.size();
  pictures.resize(first + request.drawn);
  pool.for_each(request.drawn, [&](std::size_t i, int) {
    StoredPicture& picture = pictures[first + i];
    picture.image = shrunk(request.draw(i), short_side);
    picture.content = sha256(std::as_bytes(std::span(picture.image.pixels)));
  });
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
  for (StoredPicture& picture : pictures) {
    Rng rng(request.options.seed, kHoldOutStream, picture.content.leading_bits());
    const bool out = static_cast<double>(rng.uniform()) < request.hold_out;
    (out ? material.held_out : material.pictures).push_back(std::move(picture));
  }
  draw_pictures(request, memory.short_side, pool, material.pictures);
  if (material.pictures.size() < 2) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{} pictures to learn from; distilling needs two at least, and is "
                            "worth it from a few hundred on",
                            material.pictures.size()));
  }
  return material;
}

}  // namespace engraft
