#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <utility>

namespace engraft::cache_file {

inline constexpr std::int64_t kApplicationId = 0x656e6772;    ///< "engr": SQLite's mark of an owner
inline constexpr const char* kUsualName = "features.sqlite";  ///< engraft's in every folder

/// Which file a name stands for at the moment: device and number; 0 for none.
using Identity = std::pair<dev_t, ino_t>;
[[nodiscard]] Identity identity_of(const std::filesystem::path& file);

/// Whether the file may be moved: a cache's name may have been given by mistake, and then it is
/// somebody's picture, or another program's data. True for kUsualName, and for files that begin as
/// SQLite's do and bear kApplicationId, whatever the rest of them is like.
[[nodiscard]] bool is_engrafts(const std::filesystem::path& file);

/// False for a file with contents that do not begin as SQLite's do. To be asked before SQLite is,
/// for that takes a file of one byte for an empty one, and writes over it.
[[nodiscard]] bool may_be_database(const std::filesystem::path& file);

/// Moves a file out of the way, to NAME.damaged or the next free number, with what SQLite keeps
/// beside it: a journal left behind would be played into the new file. Returns where it went;
/// throws sqlite::Failure when it cannot be moved.
[[nodiscard]] std::filesystem::path set_aside(const std::filesystem::path& file);

}  // namespace engraft::cache_file
