#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>

#include "engraft/base/progress.h"
#include "engraft/base/thread_pool.h"
#include "engraft/image/image.h"

namespace engraft {

enum class Plate { kClean, kDirty };

/// A picture like a photograph of a plate on a table: light, shadow, table texture, rim, and for
/// kDirty stains, leftovers and crumbs. A pure function of its arguments. Sides of 16 to 4096
/// pixels, else Error(kUsage).
[[nodiscard]] Image draw_plate(Plate kind, std::uint64_t seed, std::uint64_t index,
                               Size size = {400, 300});

struct SampleOptions {
  int count = 240;  ///< half of each kind, one more clean than dirty if odd; 2 to 100000
  std::uint64_t seed = 0;
};

/// Writes clean_000.jpg …, dirty_000.jpg … and last labels.csv (filename,label) into a folder that
/// is new or empty; throws Error(kUsage) otherwise. When it fails or is stopped it takes away what
/// it wrote. Same bytes for any number of threads.
void write_plates(const std::filesystem::path& folder, const SampleOptions& options,
                  ThreadPool& pool, Progress& progress, const std::stop_token& stop = {});

}  // namespace engraft
