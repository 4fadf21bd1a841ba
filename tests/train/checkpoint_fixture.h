#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>

#include "engraft/train/checkpoint_folder.h"
#include "support/test_data.h"
#include "train/saved_training.h"

namespace engraft::test {

inline std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.insert(entry.path().filename());
  return names;
}

inline void put(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline void flip_bit(const std::filesystem::path& path, std::uint64_t byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(byte));
  const int value = file.get();
  file.seekp(static_cast<std::streamoff>(byte));
  file.put(static_cast<char>(value ^ 4));
}

inline SafetensorsFile small_result() {
  return {.metadata = {{"fold", "2"}},
          .tensors = {{"probabilities", make_entry(Tensor(Shape{2}, std::vector{0.25f, 0.75f}))}}};
}

/// A folder of checkpoints that is not there yet.
class CheckpointFolderTest : public ::testing::Test {
 protected:
  void save(std::int64_t step, const std::string& phase = "fold2") {
    checkpoints.save(phase, sample_checkpoint(layouts, step), layouts.get());
  }
  [[nodiscard]] std::optional<FoundCheckpoint> latest(const std::string& phase = "fold2") const {
    return checkpoints.latest(phase, layouts.get());
  }
  [[nodiscard]] std::filesystem::path path(std::int64_t step) const {
    return folder / fmt_step(step);
  }
  [[nodiscard]] static std::string fmt_step(std::int64_t step) {
    const std::string digits = std::to_string(step);
    return "fold2-" + std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits +
           ".safetensors";
  }

  TemporaryFolder place;
  std::filesystem::path folder = place / "run.unfinished";
  CheckpointFolder checkpoints{folder};
  Layouts layouts;
};

}  // namespace engraft::test
