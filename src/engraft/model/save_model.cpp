#include <fmt/format.h>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/formats/onnx.h"
#include "engraft/model/metadata.h"
#include "engraft/model/model.h"

namespace engraft {

void save_model(const Model& model, const std::filesystem::path& path, WeightStorage storage) {
  if (const std::string what = misfit(model); !what.empty()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: this model cannot be saved: {}", path.string(), what));
  }
  OnnxModel file;
  file.network = model.network;
  file.preprocessing.scale = model.preprocessing.scale;
  file.preprocessing.offset = model.preprocessing.offset;
  file.preprocessing.swap_red_blue = model.preprocessing.channels == ChannelOrder::kBgr;
  file.metadata = to_metadata(model);
  write_file_atomic(path, write_onnx(file, storage));
}

}  // namespace engraft
