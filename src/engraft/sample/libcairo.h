#pragma once

#include <cairo.h>

#include "engraft/base/shared_library.h"

namespace engraft {

/// Cairo, and with it fonts and a window system: loaded with the first plate.
/// report/libcairo.h has the same names in the same namespace; no source includes both.
inline constexpr SharedLibrary kLibCairo{ENGRAFT_LIBCAIRO};
ENGRAFT_LOADED_LATER(kLibCairo, cairo_arc);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_close_path);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_create);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_curve_to);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_destroy);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_fill);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_identity_matrix);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_image_surface_create);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_image_surface_get_data);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_image_surface_get_stride);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_line_to);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_matrix_init_translate);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_matrix_invert);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_matrix_rotate);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_matrix_scale);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_move_to);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_new_path);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_new_sub_path);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_pattern_add_color_stop_rgb);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_pattern_add_color_stop_rgba);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_pattern_create_linear);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_pattern_create_radial);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_pattern_destroy);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_rectangle);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_restore);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_rotate);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_save);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_scale);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_fill_rule);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_line_cap);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_line_join);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_line_width);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_matrix);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_operator);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_source);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_source_rgba);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_status);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_stroke);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_surface_destroy);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_surface_flush);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_surface_mark_dirty);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_transform);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_translate);

}  // namespace engraft
