#include "engraft/base/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "engraft/base/error.h"

namespace engraft {

void* SharedLibrary::function(const char* name) const {
  // Loading it once more is counting to two.
  void* library = ::dlopen(file, RTLD_LAZY | RTLD_LOCAL);
  void* address = library == nullptr ? nullptr : ::dlsym(library, name);
  if (address == nullptr) {
    const char* reason = ::dlerror();
    throw Error(ErrorKind::kUnsupported,
                fmt::format("needs the library {}, which cannot be loaded ({}); install it", file,
                            reason ? reason : "it lacks " + std::string(name)));
  }
  return address;
}

void* SharedLibrary::variable(const char* name) const {
  void* own = function(name);
  void* programs = ::dlsym(RTLD_DEFAULT, name);
  return programs == nullptr ? own : programs;
}

}  // namespace engraft
