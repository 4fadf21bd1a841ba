#pragma once

#include <cstddef>
#include <filesystem>

#include "engraft/model/model.h"

namespace engraft {

/// load_model(), faster from the second time on: of Keras weights, which take longer to read than a
/// picture to classify, a copy as model.onnx is kept in `folder` (made where it is missing), bit
/// for bit the same model. The copy's name says what it was made of: the weights' path, the name
/// they were asked for by, size, times and number on the disk, and the options. The folder holds a
/// few copies, the newest; any of them may be deleted, and what else lies there stays. A damaged
/// copy is made anew, and where none can be written, or the folder's path is empty, there is none.
/// Errors are those of load_model() on the file itself.
[[nodiscard]] Model load_prepared_model(const std::filesystem::path& path,
                                        const LoadOptions& options,
                                        const std::filesystem::path& folder);

/// Copies in the folder of load_prepared_model() at most.
inline constexpr std::size_t kMostPreparedModels = 4;

}  // namespace engraft
