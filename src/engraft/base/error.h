#pragma once

#include <stdexcept>
#include <string>

namespace engraft {

/// What went wrong, as far as a caller can act on it. Each kind maps once to an exit code and an
/// HTTP status.
enum class ErrorKind {
  kInternal,     ///< a defect of engraft itself
  kUsage,        ///< an argument or option that makes no sense
  kNotFound,     ///< a file, folder, model or class that is not there
  kBadInput,     ///< a file that is there but broken, hostile, or not what it claims to be
  kUnsupported,  ///< valid, but of a kind that engraft does not read, or not without a library that
                 ///< is missing
  kIo,           ///< reading or writing failed: permissions, a full disk
  kNetwork,      ///< a download that failed
  kCancelled,    ///< stopped on request
};

/// The one exception of the library. The message is one line: what, where (file, line, CSV row),
/// and the way out.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws Error(kUsage, otherwise) unless an argument or option makes sense.
inline void require(bool holds, const std::string& otherwise) {
  if (!holds) throw Error(ErrorKind::kUsage, otherwise);
}

/// Process exit code of a kind: internal 1, usage 2, not found 3, bad input 4, unsupported 5, I/O
/// 6, network 7, cancelled 130 (as a shell reports Ctrl-C).
[[nodiscard]] int exit_code(ErrorKind kind);

}  // namespace engraft
