#pragma once

#include <filesystem>
#include <string_view>

namespace engraft {

/// A folder that appears under its name whole or not at all: files gather in a hidden one beside
/// it. Destroyed without commit(), it leaves nothing.
class RunFolder {
 public:
  /// Throws Error(kIo) where nothing can be written.
  explicit RunFolder(std::filesystem::path final_name);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// Where a file of the run is written.
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return temporary_ / name;
  }
  /// Puts the folder in place. A folder of that name is first moved to NAME.1 (or the next free
  /// number); returns where it went, empty if there was none.
  std::filesystem::path commit();

 private:
  std::filesystem::path final_, temporary_;
};

}  // namespace engraft
