#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/file_contents.h"
#include "engraft/base/utf8.h"
#include "engraft/formats/keras_h5.h"
#include "engraft/formats/onnx.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/model/metadata.h"
#include "engraft/model/model.h"
#include "engraft/zoo/zoo.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeadSize = 512;

/// The first bytes; read_file says what is wrong where there are none.
Bytes read_head(const fs::path& path) {
  Bytes head(kHeadSize);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(head.data()), kHeadSize);
  head.resize(static_cast<std::size_t>(file.gcount()));
  if (head.empty()) (void)read_file(path);
  return head;
}

bool begins_with(std::span<const std::byte> bytes, std::string_view text, std::size_t at = 0) {
  const auto wanted = std::as_bytes(std::span(text));
  return bytes.size() >= at + wanted.size() &&
         std::ranges::equal(bytes.subspan(at, wanted.size()), wanted);
}

bool is_text(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte value) {
    const auto c = std::to_integer<unsigned char>(value);
    return c >= 0x20 || c == '\t' || c == '\n' || c == '\r' || c == '\f';
  });
}

/// What the file is in place of a model that engraft reads; throws that.
void refuse_other_files(std::span<const std::byte> head, const std::string& name) {
  const auto bad = [&](const std::string& what) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: {}, not a model; give a model.onnx of engraft's or Keras weights "
                            "of MobileNetV2 (.h5)",
                            name, what));
  };
  const auto unsupported = [&](const std::string& what) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: {}, which engraft does not read; give a model.onnx of engraft's "
                            "or Keras weights of MobileNetV2 (.h5)",
                            name, what));
  };
  if (head.empty()) bad("is empty");
  if (const ImageFormat format = image_format(head); format != ImageFormat::kUnknown) {
    bad(fmt::format("is a picture ({})", name_of(format)));
  }
  if (begins_with(head, "TFL3", 4)) unsupported("is a TensorFlow Lite model");
  if (begins_with(head, "PK\x03\x04")) unsupported("is a zip archive (.keras or PyTorch)");
  if (begins_with(head, "version https://git-lfs")) bad("is a Git LFS pointer (git lfs pull)");
  if (is_text(head)) bad("is text");
}

Model load_onnx(std::span<const std::byte> bytes, const std::string& name,
                const LoadOptions& options) {
  OnnxModel file = read_onnx(bytes, name);
  Model model;
  read_metadata(file.metadata, name, model);
  model.network = std::move(file.network);
  const Preprocessing& said = model.preprocessing;
  if (said.scale != file.preprocessing.scale || said.offset != file.preprocessing.offset ||
      (said.channels == ChannelOrder::kBgr) != file.preprocessing.swap_red_blue) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: the preprocessing in the metadata is not that of the network; the "
                            "file is damaged or was edited",
                            name));
  }
  if (const std::string what = misfit(model); !what.empty()) {
    throw Error(ErrorKind::kBadInput, fmt::format("{}: {}", name, what));
  }
  if (options.image_size && *options.image_size != said.width) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{}: this model takes pictures of {} × {}, not {}; leave the size out, "
                            "or train again with it",
                            name, said.width, said.height, *options.image_size));
  }
  return model;
}

std::vector<std::string> labels_of_top(std::int64_t classes) {
  std::vector<std::string> labels = imagenet_labels();
  const auto known = static_cast<std::int64_t>(labels.size());
  if (classes == known + 1) labels.insert(labels.begin(), "background");  // TF-slim's
  if (classes == known || classes == known + 1) return labels;
  labels.clear();
  for (std::int64_t i = 0; i < classes; ++i) labels.push_back(fmt::format("class {}", i));
  return labels;
}

Model load_keras(const fs::path& path, const LoadOptions& options) {
  Model model;
  model.network = read_keras_mobilenet_v2(path, {.image_size = options.image_size});
  const Graph& graph = model.network.graph;
  model.preprocessing = keras_preprocessing();
  model.preprocessing.height = static_cast<int>(graph.shape(graph.input())[0]);
  model.preprocessing.width = static_cast<int>(graph.shape(graph.input())[1]);
  if (graph.contains(kProbabilitiesValue)) {
    model.labels = labels_of_top(graph.shape(graph.output())[0]);
  }
  model.provenance["source"] = printable(path.filename().string());
  model.provenance["source_format"] = "Keras HDF5, MobileNetV2";
  if (const std::string what = misfit(model); !what.empty()) {
    throw Error(ErrorKind::kBadInput, fmt::format("{}: {}", path.string(), what));
  }
  return model;
}

}  // namespace

Model load_model(const fs::path& path, const LoadOptions& options) {
  if (is_embedded_model(path)) return load_onnx(embedded_model(), path.string(), options);
  const Bytes head = read_head(path);
  if (!head.empty() && is_hdf5(path)) return load_keras(path, options);
  refuse_other_files(head, path.string());
  return load_onnx(FileContents(path).bytes(), path.string(), options);
}

}  // namespace engraft
