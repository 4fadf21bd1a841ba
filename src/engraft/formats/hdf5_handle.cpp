#include "engraft/formats/hdf5_handle.h"

#include <fmt/format.h>

#include <cstring>

#include "engraft/base/error.h"
#include "engraft/formats/one_line.h"

namespace engraft::hdf5 {
namespace {

std::vector<std::string> read_variable(hid_t attribute, hid_t type, hid_t space, std::size_t count,
                                       const Source& source) {
  std::vector<char*> pointers(count, nullptr);
  if (H5Aread(attribute, type, pointers.data()) < 0) source.damaged("an attribute is unreadable");
  std::vector<std::string> strings;
  for (const char* pointer : pointers) strings.emplace_back(pointer ? pointer : "");
  H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointers.data());
  return strings;
}

std::vector<std::string> read_fixed(hid_t attribute, hid_t type, std::size_t count,
                                    const Source& source) {
  const std::size_t width = H5Tget_size(type);
  std::vector<char> text(width * count);
  if (H5Aread(attribute, type, text.data()) < 0) source.damaged("an attribute is unreadable");
  std::vector<std::string> strings;
  for (std::size_t i = 0; i < count; ++i) {
    const char* start = text.data() + i * width;
    strings.emplace_back(start, ::strnlen(start, width));
  }
  return strings;
}

}  // namespace

QuietErrors::QuietErrors() {
  H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

QuietErrors::~QuietErrors() {
  H5Eset_auto2(H5E_DEFAULT, function_, data_);
}

void Source::damaged(const std::string& what) const {
  throw Error(ErrorKind::kBadInput,
              fmt::format("{}: {}; the file is damaged or cut short: download it again",
                          path_.string(), one_line(what)));
}

void Source::unsupported(const std::string& what) const {
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: {}", path_.string(), one_line(what)));
}

std::vector<std::string> read_strings(hid_t object, const char* name, std::size_t max_bytes,
                                      const Source& source) {
  const std::string what = fmt::format("attribute {} is unreadable", name);
  const htri_t exists = H5Aexists(object, name);
  if (exists < 0) source.damaged(what);
  if (exists == 0) return {};
  const Handle attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose, source, what);
  const Handle type(H5Aget_type(attribute.get()), H5Tclose, source, what);
  const Handle space(H5Aget_space(attribute.get()), H5Sclose, source, what);
  if (H5Tget_class(type.get()) != H5T_STRING) return {};
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  const std::size_t width = H5Tget_size(type.get());
  if (count < 0 || width == 0 || static_cast<std::size_t>(count) > max_bytes / width) {
    source.damaged(what);
  }
  const auto strings = static_cast<std::size_t>(count);
  if (strings == 0) return {};
  const htri_t variable = H5Tis_variable_str(type.get());
  if (variable < 0) source.damaged(what);
  return variable ? read_variable(attribute.get(), type.get(), space.get(), strings, source)
                  : read_fixed(attribute.get(), type.get(), strings, source);
}

}  // namespace engraft::hdf5
