#include <hwy/nanobenchmark.h>

namespace hwy::platform {

/// Takes the place of the function in Highway's shared library that measures its timer when the
/// library is loaded, for benchmarks that nobody runs here: 4 ms of every start. (With a static
/// library, whose timer nobody links, this file is to go.)
std::uint64_t TimerResolution() {
  return 1;
}

}  // namespace hwy::platform
