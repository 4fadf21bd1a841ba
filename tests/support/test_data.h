#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace engraft::test {

/// The folder with the reference weights, pictures and results (models/, data/, golden/):
/// $ENGRAFT_TEST_DATA, else "shared" beside the repository. Empty if it is not there.
inline std::filesystem::path test_data() {
  namespace fs = std::filesystem;
  const char* set = std::getenv("ENGRAFT_TEST_DATA");
  const fs::path folder =
      set ? fs::path(set) : fs::path(ENGRAFT_SOURCE_DIR).parent_path() / "shared";
  return fs::is_directory(folder) ? folder : fs::path();
}

/// A folder of the test's own, removed with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "engraft-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace engraft::test

/// Skips the running test, with a word, where the reference data is missing.
#define ENGRAFT_NEEDS_TEST_DATA(variable)                            \
  const std::filesystem::path variable = engraft::test::test_data(); \
  if (variable.empty())                                              \
  GTEST_SKIP() << "reference data not found; set ENGRAFT_TEST_DATA to its folder"
