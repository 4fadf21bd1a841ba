#pragma once

#include <cairo-svg.h>
#include <cairo.h>

#include "engraft/base/shared_library.h"

namespace engraft {

/// Cairo, and with it fonts and a window system: loaded with the first drawing.
inline constexpr SharedLibrary kLibCairo{ENGRAFT_LIBCAIRO};
ENGRAFT_LOADED_LATER(kLibCairo, cairo_arc);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_clip);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_close_path);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_create);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_destroy);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_fill);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_font_options_create);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_font_options_destroy);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_font_options_set_antialias);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_font_options_set_hint_metrics);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_font_options_set_hint_style);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_get_source);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_image_surface_create);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_image_surface_get_data);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_image_surface_get_height);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_image_surface_get_stride);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_image_surface_get_width);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_line_to);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_move_to);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_new_path);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_new_sub_path);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_paint);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_pattern_add_color_stop_rgb);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_pattern_create_linear);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_pattern_destroy);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_pattern_set_extend);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_rectangle);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_rel_line_to);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_restore);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_rotate);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_save);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_scale);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_select_font_face);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_dash);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_font_options);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_font_size);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_line_cap);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_line_join);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_line_width);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_source);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_source_rgba);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_set_source_surface);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_show_text);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_status);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_status_to_string);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_stroke);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_surface_destroy);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_surface_finish);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_surface_mark_dirty);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_surface_set_mime_data);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_surface_status);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_surface_write_to_png_stream);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_svg_surface_create_for_stream);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_text_extents);
ENGRAFT_LOADED_LATER(kLibCairo, cairo_translate);

/// Deleter of an owned surface.
struct DestroySurface {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};

}  // namespace engraft
