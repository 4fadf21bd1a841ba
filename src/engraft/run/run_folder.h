#pragma once

#include <filesystem>
#include <string_view>
#include <system_error>

namespace engraft {

/// A folder that appears under its name whole or not at all: files gather in a hidden one beside
/// it, which then takes its name, also from an empty folder that stands there. An empty folder that
/// must stay what it is (a mount point, a link, the current folder, somebody else's) is filled file
/// by file, args.json first and results.csv last; nothing that has come there meanwhile is
/// replaced. Destroyed without commit(), it leaves nothing; what a killed process left, there too,
/// is removed by the next run of that name.
class RunFolder {
 public:
  /// Throws Error(kUsage) where something else than a run stands under that name.
  static void check(const std::filesystem::path& final_name);

  /// For whoever has the lock of the run (UnfinishedRun), as what others left there is removed.
  /// Throws as check() does, and Error(kIo) where nothing can be written.
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
  void make_temporary(const std::filesystem::path& place, std::error_code& error);
  void fill_in_place();

  std::filesystem::path final_, temporary_;  // absolute
  bool made_parent_ = false;
  bool in_place_ = false;  // an empty folder stands there that must stay
};

}  // namespace engraft
