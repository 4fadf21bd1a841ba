#include "engraft/base/error.h"

namespace engraft {

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInternal:
      return 1;
    case ErrorKind::kUsage:
      return 2;
    case ErrorKind::kNotFound:
      return 3;
    case ErrorKind::kBadInput:
      return 4;
    case ErrorKind::kUnsupported:
      return 5;
    case ErrorKind::kIo:
      return 6;
    case ErrorKind::kNetwork:
      return 7;
    case ErrorKind::kCancelled:
      return 130;
  }
  return 1;
}

}  // namespace engraft
