#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "engraft/formats/libhdf5.h"

namespace engraft::hdf5 {

/// Errors of the HDF5 library come as return values alone: it is kept from printing, for as long as
/// this lives.
class QuietErrors {
 public:
  QuietErrors();
  ~QuietErrors();
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

/// A file and the words for its errors.
class Source {
 public:
  explicit Source(std::filesystem::path path) : path_(std::move(path)) {}
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Throws Error(kBadInput): "<file>: <what>; the file is damaged or cut short: download it
  /// again".
  [[noreturn]] void damaged(const std::string& what) const;
  [[noreturn]] void unsupported(const std::string& what) const;

 private:
  std::filesystem::path path_;
};

/// Owns one HDF5 identifier, of whatever kind.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  /// Throws source.damaged(what) if the call that gave the identifier failed.
  Handle(hid_t id, Close close, const Source& source, const std::string& what)
      : id_(id), close_(close) {
    if (id_ < 0) source.damaged(what);
  }
  ~Handle() { close_(id_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  [[nodiscard]] hid_t get() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

/// A string attribute of an object: every element, or nothing if there is no such attribute. At
/// most max_bytes of them.
[[nodiscard]] std::vector<std::string> read_strings(hid_t object, const char* name,
                                                    std::size_t max_bytes, const Source& source);

}  // namespace engraft::hdf5
