// Any bytes: a network whose weights fit it, or one Error.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engraft/base/error.h"
#include "engraft/formats/keras_h5.h"

// HDF5 asks for as much memory as a damaged file names, and takes no for an answer.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=1024";
}

namespace {

void check(bool ok) {
  if (!ok) std::abort();
}

template <typename Read>
void expect_one_error_or_none(const Read& read) {
  try {
    read();
  } catch (const engraft::Error& error) {
    check(error.kind() == engraft::ErrorKind::kBadInput ||
          error.kind() == engraft::ErrorKind::kUnsupported);
    check(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int file = ::memfd_create("fuzz", MFD_CLOEXEC);
  check(file >= 0 && ::write(file, data, size) == static_cast<ssize_t>(size));
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  expect_one_error_or_none([&] { static_cast<void>(engraft::read_keras_h5(path)); });
  expect_one_error_or_none([&] {
    const engraft::Network network = engraft::read_keras_mobilenet_v2(path);
    engraft::check_weights(network.graph, network.weights);
  });
  ::close(file);
  return 0;
}
