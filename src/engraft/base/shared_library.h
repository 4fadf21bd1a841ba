#pragma once

#include <atomic>

namespace engraft {

/// A library of the system that is not there from the program's start, but loaded when the first of
/// its functions is called: most commands need none of them, and the loader takes a millisecond or
/// more for each. It stays loaded.
///
/// A header lists what is used of it, under the names that it has anyway:
///
///     inline constexpr SharedLibrary kLibHeif{ENGRAFT_LIBHEIF};  // "libheif.so.1", from CMake
///     ENGRAFT_LOADED_LATER(kLibHeif, heif_context_alloc);
///
/// Inside namespace engraft, heif_context_alloc() then is a call of that function as the library's
/// own header declares it. The first call of each may throw: not where nothing may, unless another
/// function, without which that place is not reached, was called before; a library that has the one
/// and lacks the other ends the program there.
struct SharedLibrary {
  const char* file;  ///< the name that the loader knows it by

  /// The address of a function. Throws Error(kUnsupported), naming the library, where it cannot be
  /// loaded or lacks the symbol. Safe from any number of threads.
  [[nodiscard]] void* function(const char* name) const;
  /// The same of a variable. Where the program itself uses it, too, the one that counts is the
  /// program's (an ELF copy relocation).
  [[nodiscard]] void* variable(const char* name) const;
};

/// A function of such a library: called, or assigned to a pointer, like the function itself.
template <typename Pointer>
class LoadedLater {
 public:
  constexpr LoadedLater(const SharedLibrary& library, const char* name)
      : library_(library), name_(name) {}

  // NOLINTNEXTLINE(google-explicit-constructor): as a function turns into a pointer
  operator Pointer() const {
    void* address = address_.load(std::memory_order_acquire);
    if (address == nullptr) {
      address = library_.function(name_);
      address_.store(address, std::memory_order_release);
    }
    return reinterpret_cast<Pointer>(address);
  }

 private:
  const SharedLibrary& library_;
  const char* name_;
  mutable std::atomic<void*> address_ = nullptr;
};

/// A variable of such a library, read.
template <typename Value>
class ReadLater {
 public:
  constexpr ReadLater(const SharedLibrary& library, const char* name)
      : library_(library), name_(name) {}

  // NOLINTNEXTLINE(google-explicit-constructor): as a variable gives its value
  operator Value() const { return *static_cast<const Value*>(library_.variable(name_)); }

 private:
  const SharedLibrary& library_;
  const char* name_;
};

}  // namespace engraft

#define ENGRAFT_TEXT_OF(name) #name
/// A function of the global namespace, which a header of the library declares; and a variable.
/// Where the header makes the name a macro for another, that other is meant.
#define ENGRAFT_LOADED_LATER(library, name)                               \
  inline constinit const ::engraft::LoadedLater<decltype(&::name)> name { \
    library, ENGRAFT_TEXT_OF(name)                                        \
  }
#define ENGRAFT_READ_LATER(library, name)                              \
  inline constinit const ::engraft::ReadLater<decltype(::name)> name { \
    library, ENGRAFT_TEXT_OF(name)                                     \
  }
