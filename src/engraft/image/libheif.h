#pragma once

#include <libheif/heif.h>

#include "engraft/base/shared_library.h"

namespace engraft {

/// libheif, and with it four decoders of video: loaded with the first HEIC or AVIF picture.
inline constexpr SharedLibrary kLibHeif{ENGRAFT_LIBHEIF};
ENGRAFT_LOADED_LATER(kLibHeif, heif_context_alloc);
ENGRAFT_LOADED_LATER(kLibHeif, heif_context_free);
ENGRAFT_LOADED_LATER(kLibHeif, heif_context_get_primary_image_handle);
ENGRAFT_LOADED_LATER(kLibHeif, heif_context_read_from_memory_without_copy);
ENGRAFT_LOADED_LATER(kLibHeif, heif_context_set_max_decoding_threads);
ENGRAFT_LOADED_LATER(kLibHeif, heif_context_set_maximum_image_size_limit);
ENGRAFT_LOADED_LATER(kLibHeif, heif_decode_image);
ENGRAFT_LOADED_LATER(kLibHeif, heif_decoding_options_alloc);
ENGRAFT_LOADED_LATER(kLibHeif, heif_decoding_options_free);
ENGRAFT_LOADED_LATER(kLibHeif, heif_image_get_chroma_format);
ENGRAFT_LOADED_LATER(kLibHeif, heif_image_get_height);
ENGRAFT_LOADED_LATER(kLibHeif, heif_image_get_plane_readonly);
ENGRAFT_LOADED_LATER(kLibHeif, heif_image_get_width);
ENGRAFT_LOADED_LATER(kLibHeif, heif_image_handle_get_height);
ENGRAFT_LOADED_LATER(kLibHeif, heif_image_handle_get_width);
ENGRAFT_LOADED_LATER(kLibHeif, heif_image_handle_has_alpha_channel);
ENGRAFT_LOADED_LATER(kLibHeif, heif_image_handle_is_premultiplied_alpha);
ENGRAFT_LOADED_LATER(kLibHeif, heif_image_handle_release);
ENGRAFT_LOADED_LATER(kLibHeif, heif_image_release);

}  // namespace engraft
