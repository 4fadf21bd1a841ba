#pragma once

#include <cstdint>
#include <string>

#include "engraft/formats/hdf5_handle.h"
#include "engraft/formats/libhdf5.h"
#include "engraft/tensor/shape.h"

namespace engraft::hdf5 {

/// Bytes of all plain, and of all deflated datasets of a file together.
inline constexpr std::uint64_t kMaxTotal = std::uint64_t{1} << 30;

/// Whether the type is IEEE 754 of 16, 32 or 64 bits, of either byte order; other layouts that
/// HDF5 can describe do not occur and would only be ways into the library's conversions.
[[nodiscard]] bool is_ieee_float(hid_t type);

struct DatasetSpec {
  const std::string& name;
  const Shape& shape;
  std::size_t value_size = 0;  ///< bytes, in the file
};

/// Holds datasets against the length of their file before memory is taken for them. source must
/// outlive it.
class StorageCheck {
 public:
  StorageCheck(const Source& source, std::uint64_t file_size)
      : source_(source), file_size_(file_size) {}

  /// A plain dataset's bytes are in the file, and each in one dataset; a deflated one may be larger
  /// than the file, but only so much. Throws Error(kBadInput) for more than that, and
  /// Error(kUnsupported) for storage in other files and for filters that HDF5 would have to load.
  void check(hid_t dataset, const DatasetSpec& spec);

 private:
  [[nodiscard]] bool check_filters(hid_t plist, const DatasetSpec& spec) const;
  void check_chunk(hid_t plist, const DatasetSpec& spec) const;

  const Source& source_;
  std::uint64_t file_size_;
  std::uint64_t plain_total_ = 0, deflated_total_ = 0;
};

}  // namespace engraft::hdf5
