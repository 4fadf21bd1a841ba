#pragma once

#include <filesystem>
#include <span>
#include <stop_token>
#include <vector>

#include "engraft/base/progress.h"
#include "engraft/base/thread_pool.h"
#include "engraft/data/dataset.h"
#include "engraft/run/distill_run.h"
#include "engraft/train/picture_store.h"

namespace engraft {

/// The pictures of a distillation, each content once.
struct DistillMaterial {
  std::vector<StoredPicture> pictures;  ///< to learn from
  std::vector<StoredPicture> held_out;
  std::vector<StoredPicture> probed;  ///< labelled
  std::vector<int> labels;            ///< of each of those
  std::vector<std::string> class_names;
  std::vector<Problem> problems;
  std::vector<std::string> notes;
};

/// Files and folders → paths of pictures, those of a folder in the order of their names. Side files
/// are passed over; what cannot be a picture is a problem. Throws Error(kNotFound) for what is not
/// there.
[[nodiscard]] std::vector<std::filesystem::path> find_pictures(
    std::span<const std::filesystem::path> places, std::vector<Problem>& problems);

struct DistillMemory {
  int short_side = 256;   ///< of pictures in memory
  std::size_t bytes = 0;  ///< for them
};

/// Which pictures are held out is a draw from the seed and each picture's content. Throws
/// Error(kBadInput) where nothing is left to learn from.
[[nodiscard]] DistillMaterial gather_distill_material(const DistillRequest& request,
                                                      const DistillMemory& memory, ThreadPool& pool,
                                                      Progress& progress,
                                                      const std::stop_token& stop);

}  // namespace engraft
