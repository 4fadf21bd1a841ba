#include "engraft/formats/hdf5_storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engraft/base/error.h"

namespace engraft::hdf5 {
namespace {

constexpr std::uint64_t kMaxInflation = 1032;  ///< no deflate stream grows by more
constexpr std::uint64_t kMaxChunk = 64 << 20;

}  // namespace

bool is_ieee_float(hid_t type) {
  if (H5Tget_class(type) != H5T_FLOAT) return false;
  struct Layout {
    std::size_t bytes, sign, exponent, exponent_bits, mantissa_bits, bias;
  };
  constexpr std::array<Layout, 3> kLayouts{
      {{2, 15, 10, 5, 10, 15}, {4, 31, 23, 8, 23, 127}, {8, 63, 52, 11, 52, 1023}}};
  std::size_t sign = 0, exponent = 0, exponent_bits = 0, mantissa = 0, mantissa_bits = 0;
  if (H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0) {
    return false;
  }
  const std::size_t bytes = H5Tget_size(type);
  const std::size_t bias = H5Tget_ebias(type);
  return mantissa == 0 && std::any_of(kLayouts.begin(), kLayouts.end(), [&](const Layout& l) {
           return l.bytes == bytes && l.sign == sign && l.exponent == exponent &&
                  l.exponent_bits == exponent_bits && l.mantissa_bits == mantissa_bits &&
                  l.bias == bias;
         });
}

void StorageCheck::check(hid_t dataset, const DatasetSpec& spec) {
  const Handle plist(H5Dget_create_plist(dataset), H5Pclose, source_, spec.name + " is unreadable");
  const H5D_layout_t layout = H5Pget_layout(plist.get());
  if (layout == H5D_VIRTUAL || H5Pget_external_count(plist.get()) != 0) {
    source_.unsupported(fmt::format("weight {} lies in another file", spec.name));
  }
  const bool deflated = check_filters(plist.get(), spec);
  if (layout == H5D_CHUNKED) check_chunk(plist.get(), spec);
  std::uint64_t values = 0;
  try {
    values = static_cast<std::uint64_t>(spec.shape.elements());
  } catch (const Error&) {
    values = kMaxTotal;
  }
  std::uint64_t& total = deflated ? deflated_total_ : plain_total_;
  total += values * spec.value_size;
  const std::uint64_t limit =
      deflated ? std::min(kMaxTotal, file_size_ * kMaxInflation) : std::min(kMaxTotal, file_size_);
  if (total > limit) {
    source_.damaged(fmt::format("weight {} {} is larger than the file can hold", spec.name,
                                spec.shape.to_string()));
  }
}

/// Whether the dataset is deflated.
bool StorageCheck::check_filters(hid_t plist, const DatasetSpec& spec) const {
  const int filters = H5Pget_nfilters(plist);
  if (filters < 0) source_.damaged(spec.name + " is unreadable");
  bool deflated = false;
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0;
    std::size_t count = 0;
    const H5Z_filter_t filter = H5Pget_filter2(plist, static_cast<unsigned>(i), &flags, &count,
                                               nullptr, 0, nullptr, nullptr);
    const bool deflate = filter == H5Z_FILTER_DEFLATE;
    if (deflate && deflated) {
      source_.unsupported(fmt::format("weight {} is deflated twice", spec.name));
    }
    deflated = deflated || deflate;
    if (!deflate && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32) {
      source_.unsupported(fmt::format(
          "weight {} is packed with HDF5 filter {}; only gzip, shuffle and fletcher32 are read",
          spec.name, static_cast<int>(filter)));
    }
  }
  return deflated;
}

void StorageCheck::check_chunk(hid_t plist, const DatasetSpec& spec) const {
  std::array<hsize_t, H5S_MAX_RANK> extents{};
  const int rank = H5Pget_chunk(plist, H5S_MAX_RANK, extents.data());
  std::uint64_t bytes = spec.value_size;
  for (int i = 0; i < std::min<int>(rank, H5S_MAX_RANK); ++i) {
    const hsize_t extent = extents[static_cast<std::size_t>(i)];
    if (extent == 0 || extent > kMaxChunk / bytes) {
      source_.damaged(fmt::format("weight {} is cut into impossible chunks", spec.name));
    }
    bytes *= extent;
  }
  if (rank < 0) source_.damaged(spec.name + " is unreadable");
}

}  // namespace engraft::hdf5
