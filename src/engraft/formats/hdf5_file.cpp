#include "engraft/formats/hdf5_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <mutex>
#include <set>
#include <string_view>

#include "engraft/base/error.h"
#include "engraft/formats/hdf5_handle.h"
#include "engraft/formats/hdf5_storage.h"
#include "engraft/formats/keras_h5.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;
using hdf5::Handle;
using hdf5::Source;

constexpr int kMaxDepth = 12;        ///< of groups in groups
constexpr int kMaxObjects = 20'000;  ///< links followed; a MobileNetV2 has about 800

struct Link {
  std::string name;
  bool hard = false;  ///< soft and external links may lead out of the file, and Keras makes none
};

herr_t collect_link(hid_t /*group*/, const char* name, const H5L_info_t* info, void* list) {
  try {
    static_cast<std::vector<Link>*>(list)->push_back({name, info->type == H5L_TYPE_HARD});
  } catch (...) {  // an exception must not cross a C library
    return -1;
  }
  return 0;
}

/// Walks a file's groups and takes the float datasets in.
class Reader {
 public:
  Reader(const fs::path& path, std::uint64_t file_size)
      : source_(path), file_size_(file_size), storage_(source_, file_size) {}

  KerasFile read() {
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, source_, "HDF5 cannot be set up");
    H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
    H5Pset_file_locking(access.get(), false, true);  // file systems without locks hold models, too
    const Handle file(H5Fopen(source_.path().c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose,
                      source_, "cannot be opened as HDF5");
    const Handle root(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose, source_,
                      "the root group is unreadable");
    read_config(root.get());
    read_group(root.get(), "", 0);
    if (H5Lexists(root.get(), "model_weights", H5P_DEFAULT) > 0) {
      const Handle weights(open_group(root.get(), "model_weights"), H5Gclose, source_,
                           "group model_weights is unreadable");
      read_layer_order(weights.get());
    } else {
      read_layer_order(root.get());
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::size_t text_limit() const {
    return static_cast<std::size_t>(std::min<std::uint64_t>(file_size_, 64 << 20));
  }

  void read_config(hid_t root) {
    const auto config = hdf5::read_strings(root, "model_config", text_limit(), source_);
    if (!config.empty()) result_.model_config = config.front();
  }

  [[nodiscard]] hid_t open_group(hid_t parent, const std::string& name) const {
    H5L_info_t info;
    const bool inside =
        H5Lget_info(parent, name.c_str(), &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
    return inside ? H5Gopen2(parent, name.c_str(), H5P_DEFAULT) : -1;
  }

  void read_group(hid_t group, const std::string& name, int depth) {
    if (depth > kMaxDepth) source_.unsupported("groups are nested deeper than Keras nests them");
    std::vector<Link> links;
    hsize_t index = 0;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &index, collect_link, &links) < 0) {
      source_.damaged(fmt::format("group /{} is unreadable", name));
    }
    objects_ += static_cast<int>(std::min<std::size_t>(links.size(), kMaxObjects));
    if (objects_ > kMaxObjects) {
      source_.unsupported(fmt::format("holds more than {} objects", kMaxObjects));
    }
    for (const Link& link : links) {
      const bool optimizer = depth == 0 && link.name == "optimizer_weights";
      if (link.hard && !optimizer) read_object(group, name, link.name, depth);
    }
  }

  void read_object(hid_t group, const std::string& parent, const std::string& name, int depth) {
    const std::string what = fmt::format("object {}/{} is unreadable", parent, name);
    const Handle object(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose, source_, what);
    const H5I_type_t kind = H5Iget_type(object.get());
    if (kind == H5I_GROUP) {
      if (name == "vars") {
        source_.unsupported(
            "holds weights in Keras 3's .weights.h5 layout; save the model as .h5 (model.save) "
            "or use the weights of tf.keras 2");
      }
      read_group(object.get(), name, depth + 1);
    } else if (kind == H5I_DATASET) {
      read_dataset(object.get(), parent, name);
    }
  }

  void read_dataset(hid_t dataset, const std::string& layer, const std::string& dataset_name) {
    const std::string name =
        fmt::format("{}/{}", layer, dataset_name.substr(0, dataset_name.rfind(':')));
    const std::string what = fmt::format("weight {} is unreadable", name);
    const Handle type(H5Dget_type(dataset), H5Tclose, source_, what);
    if (!hdf5::is_ieee_float(type.get())) return;
    const Handle space(H5Dget_space(dataset), H5Sclose, source_, what);
    Shape shape = shape_of(space.get(), what);
    storage_.check(dataset, {.name = name, .shape = shape, .value_size = H5Tget_size(type.get())});
    Tensor tensor(std::move(shape));
    if (tensor.size() > 0 &&
        H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.data()) < 0) {
      source_.damaged(what);
    }
    if (!result_.weights.emplace(name, std::move(tensor)).second) {
      source_.unsupported(fmt::format("holds two weights named {}", name));
    }
  }

  [[nodiscard]] Shape shape_of(hid_t space, const std::string& what) const {
    std::array<hsize_t, H5S_MAX_RANK> extents{};
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || H5Sget_simple_extent_type(space) == H5S_NULL ||
        H5Sget_simple_extent_dims(space, extents.data(), nullptr) < 0) {
      source_.damaged(what);
    }
    std::vector<std::int64_t> shape;
    for (int i = 0; i < rank; ++i) {
      const hsize_t extent = extents[static_cast<std::size_t>(i)];
      if (extent > hdf5::kMaxTotal) source_.damaged(what);
      shape.push_back(static_cast<std::int64_t>(extent));
    }
    return Shape(std::move(shape));
  }

  void read_layer_order(hid_t group) {
    std::set<std::string> seen;
    for (const std::string& outer :
         hdf5::read_strings(group, "layer_names", text_limit(), source_)) {
      if (outer.empty() || outer.find('/') != std::string::npos) continue;
      const htri_t exists = H5Lexists(group, outer.c_str(), H5P_DEFAULT);
      if (exists <= 0) continue;
      const Handle layer(open_group(group, outer), H5Gclose, source_,
                         fmt::format("layer {} is unreadable", outer));
      for (const std::string& path :
           hdf5::read_strings(layer.get(), "weight_names", text_limit(), source_)) {
        std::string name = fs::path(path).parent_path().filename().string();
        if (seen.insert(name).second) result_.layers.push_back(std::move(name));
      }
    }
  }

  Source source_;
  std::uint64_t file_size_;
  hdf5::StorageCheck storage_;
  int objects_ = 0;
  KerasFile result_;
};

/// The first 48 bytes, or as many as there are.
std::string read_head(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: there is no such file", path.string()));
  }
  if (!fs::is_regular_file(path, error)) {
    throw Error(ErrorKind::kIo, fmt::format("{}: is not a file", path.string()));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot be opened; check its permissions", path.string()));
  }
  std::string head(48, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return head;
}

constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);

/// A version-0 file that was cut short says so itself: bytes 40 to 47 are the address of its end.
void check_head(const Source& source, std::string_view head, std::uint64_t size) {
  constexpr std::size_t kVersion = 8, kOffsetSize = 13, kEnd = 40;
  if (!head.starts_with(kSignature)) source.damaged("does not begin as HDF5 does");
  if (head.size() < kEnd + 8) source.damaged(fmt::format("is only {} bytes long", size));
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(head[i]); };
  if (byte(kVersion) != 0 || byte(kOffsetSize) != 8) return;
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < 8; ++i) end |= std::uint64_t{byte(kEnd + i)} << (8 * i);
  if (end > size) source.damaged(fmt::format("is {} bytes long, should be {}", size, end));
}

}  // namespace

bool is_hdf5(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && read_head(path).starts_with(kSignature);
}

std::map<std::string, Tensor> read_keras_h5(const fs::path& path) {
  return std::move(read_keras_file(path).weights);
}

KerasFile read_keras_file(const fs::path& path) {
  const Source source(path);
  const std::string head = read_head(path);
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  check_head(source, head, error ? 0 : size);
  // HDF5 need not have been built for threads, and its error printing is a setting of the process.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  // Damaged files leave objects open inside HDF5, which it would complain about on standard error
  // when the process ends. Everything of ours is closed by then.
  static const herr_t no_farewell = H5dont_atexit();
  static_cast<void>(no_farewell);
  const hdf5::QuietErrors quiet;
  return Reader(path, size).read();
}

}  // namespace engraft
