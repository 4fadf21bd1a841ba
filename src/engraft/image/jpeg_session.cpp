#include "engraft/image/jpeg_session.h"

namespace engraft::jpeg {
namespace {

[[noreturn]] void leave(j_common_ptr common) {
  auto* errors = reinterpret_cast<Errors*>(common->err);
  errors->code = common->err->msg_code;
  common->err->format_message(common, errors->message.data());
  std::longjmp(errors->landing, 1);
}

void on_message(j_common_ptr common, int level) {
  if (level >= 0) return;  // a trace
  auto* errors = reinterpret_cast<Errors*>(common->err);
  switch (common->err->msg_code) {
    case JWRN_JPEG_EOF:
      errors->end_missing = true;
      if (errors->end_required) leave(common);
      return;
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      leave(common);
    default:
      // Stray bytes between segments, an odd version number: every viewer shows such a photo, and
      // every pixel of it is there.
      return;
  }
}

void print_nothing(j_common_ptr) {}

}  // namespace

jpeg_error_mgr* install(Errors& errors) {
  jpeg_std_error(&errors.manager);
  errors.manager.error_exit = leave;
  errors.manager.emit_message = on_message;
  errors.manager.output_message = print_nothing;
  return &errors.manager;
}

}  // namespace engraft::jpeg
