#pragma once

#include <filesystem>
#include <string>

#include "engraft/base/thread_pool.h"
#include "engraft/sample/plates.h"
#include "support/test_data.h"

namespace engraft::test {

/// So many drawn plates with their labels.csv in a new folder. Drawing them takes longer than
/// most of what is tried on them, so all tests of a process get copies of the same.
inline void put_plates(const std::filesystem::path& folder, int count) {
  static const TemporaryFolder drawn;
  const std::filesystem::path kept = drawn / std::to_string(count);
  if (!std::filesystem::exists(kept)) {
    ThreadPool pool(2);
    NoProgress progress;
    write_plates(kept, {.count = count, .seed = 5}, pool, progress);
  }
  std::filesystem::copy(kept, folder, std::filesystem::copy_options::recursive);
}

}  // namespace engraft::test
