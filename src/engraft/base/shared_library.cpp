#include "engraft/base/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <string>

#include "engraft/base/error.h"

namespace engraft {
namespace {

std::string reason() {
  const char* text = ::dlerror();
  return text == nullptr ? "no reason given" : text;
}

}  // namespace

void* SharedLibrary::function(const char* name) const {
  // Loading it once more is counting to two.
  void* library = ::dlopen(file, RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("needs the library {}, which cannot be loaded ({}); install it", file,
                            reason()));
  }
  void* address = ::dlsym(library, name);
  if (address == nullptr) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("needs {} of the library {}, which the one installed lacks ({}); "
                            "install a newer one",
                            name, file, reason()));
  }
  return address;
}

void* SharedLibrary::variable(const char* name) const {
  void* own = function(name);
  void* programs = ::dlsym(RTLD_DEFAULT, name);
  return programs == nullptr ? own : programs;
}

}  // namespace engraft
