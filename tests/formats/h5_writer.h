#pragma once

#include <hdf5.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace engraft::test {

/// As the library under test sets it; HDF5 takes it before its first use alone, and its type names
/// are uses.
inline const herr_t kNoFarewell = H5dont_atexit();

/// Without the wait for the disk that write_file_atomic is for.
inline void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}
inline void write_bytes(const std::filesystem::path& path, std::string_view text) {
  write_bytes(path, std::as_bytes(std::span(text)));
}

/// Makes HDF5 files as h5py lays them out, and some as nobody does.
class H5Writer {
 public:
  explicit H5Writer(const std::filesystem::path& path)
      : file_(need(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT))) {
    links_ = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links_, 1);
  }
  ~H5Writer() {
    H5Pclose(links_);
    H5Fclose(file_);
  }
  H5Writer(const H5Writer&) = delete;
  H5Writer& operator=(const H5Writer&) = delete;

  [[nodiscard]] hid_t file() const { return file_; }
  [[nodiscard]] hid_t links() const { return links_; }

  static hid_t need(hid_t id) {
    if (id < 0) throw std::runtime_error("HDF5 failed");
    return id;
  }

  void group(const std::string& path) {
    H5Gclose(need(H5Gcreate2(file_, path.c_str(), links_, H5P_DEFAULT, H5P_DEFAULT)));
  }

  struct Dataset {
    std::string path;
    std::vector<hsize_t> extents;
    hid_t type = H5T_IEEE_F32LE;
    hid_t creation = H5P_DEFAULT;
  };

  /// values may be empty: then nothing is written, and storage is only named.
  void dataset(const Dataset& spec, std::span<const float> values) {
    const hid_t space =
        need(H5Screate_simple(static_cast<int>(spec.extents.size()), spec.extents.data(), nullptr));
    const hid_t set = need(
        H5Dcreate2(file_, spec.path.c_str(), spec.type, space, links_, spec.creation, H5P_DEFAULT));
    if (!values.empty()) {
      need(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
    }
    H5Dclose(set);
    H5Sclose(space);
  }

  /// An attribute of strings, fixed in width as h5py writes lists of bytes.
  void strings(const std::string& object, const std::string& name,
               const std::vector<std::string>& values) {
    std::size_t width = 1;
    for (const std::string& value : values) width = std::max(width, value.size());
    std::string text;
    for (const std::string& value : values) {
      text += value + std::string(width - value.size(), '\0');
    }
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    const hsize_t count = values.size();
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    write_attribute(object, name, {type, space}, text.data());
  }

  /// A scalar attribute of a string of variable length, as h5py writes str.
  void text(const std::string& object, const std::string& name, const std::string& value) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    const char* pointer = value.c_str();
    write_attribute(object, name, {type, H5Screate(H5S_SCALAR)}, &pointer);
  }

 private:
  struct Layout {
    hid_t type, space;
  };
  void write_attribute(const std::string& object, const std::string& name, const Layout& layout,
                       const void* data) {
    const hid_t at = need(H5Oopen(file_, object.c_str(), H5P_DEFAULT));
    const hid_t attribute =
        need(H5Acreate2(at, name.c_str(), layout.type, layout.space, H5P_DEFAULT, H5P_DEFAULT));
    need(H5Awrite(attribute, layout.type, data));
    H5Aclose(attribute);
    H5Oclose(at);
    H5Sclose(layout.space);
    H5Tclose(layout.type);
  }

  hid_t file_;
  hid_t links_ = -1;
};

}  // namespace engraft::test
