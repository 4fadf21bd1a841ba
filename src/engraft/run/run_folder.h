#pragma once

#include <filesystem>
#include <string_view>

namespace engraft {

/// A folder that appears under its name whole or not at all: files gather in a hidden one beside
/// it. Destroyed without commit(), it leaves nothing; what a killed process left is removed by the
/// next run of that name.
class RunFolder {
 public:
  /// Throws Error(kUsage) where something else than a run stands under that name, Error(kIo) where
  /// nothing can be written.
  explicit RunFolder(const std::filesystem::path& final_name);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// Where a file of the run is written.
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return temporary_ / name;
  }
  /// Puts the folder in place. An earlier run of that name is first moved to NAME.1 (or the next
  /// free number); returns where it went, empty if there was none.
  std::filesystem::path commit();

 private:
  void fill_in_place();

  std::filesystem::path final_, temporary_;  // absolute
  bool made_parent_ = false;
  bool in_place_ =
      false;  // an empty folder stands there (a mount point, the current folder): it is filled
};

}  // namespace engraft
