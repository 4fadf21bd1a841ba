#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdio>
// jpeglib.h needs size_t and FILE declared before it.
#include <jpeglib.h>
// Which codes jerror.h has depends on jpeglib.h.
#include <jerror.h>

#include <array>

namespace engraft::jpeg {

/// libjpeg's error manager, made to return instead of exiting and to print nothing. Warnings that
/// mean lost pixels end the work like errors do.
struct Errors {
  jpeg_error_mgr manager{};  // first: libjpeg hands back a pointer to it
  std::jmp_buf landing{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  int code = 0;
  /// The data ended before the end marker, perhaps with every pixel there.
  bool end_missing = false;
  /// Whether an early end is an error at once.
  bool end_required = true;
};

/// Fills in the manager; its address then goes into the (de)compressor's err field.
jpeg_error_mgr* install(Errors& errors);

/// Runs body; false when libjpeg failed in it. libjpeg leaves by longjmp, so neither body nor what
/// it calls may hold anything with a destructor at the time.
template <typename Body>
[[nodiscard]] bool run(Errors& errors, const Body& body) {
  if (setjmp(errors.landing) != 0) return false;
  body();
  return true;
}

}  // namespace engraft::jpeg
