#pragma once

#include <oneapi/dnnl/dnnl.h>

#include "engraft/base/shared_library.h"

// oneDNN's C++ classes are inline functions that call its C functions: put beside them here, these
// are found first. Under a name of their own, so that a program may also use oneDNN itself, linked
// as usual.
#define dnnl engraft_dnnl

namespace dnnl {

using engraft::SharedLibrary;

/// oneDNN, loaded with the first step that no kernel of engraft's own computes.
inline constexpr SharedLibrary kLibDnnl{ENGRAFT_LIBDNNL};
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_batch_normalization_forward_desc_init);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_binary_desc_init);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_convolution_backward_data_desc_init);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_convolution_backward_weights_desc_init);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_convolution_forward_desc_init);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_eltwise_forward_desc_init);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_engine_create);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_engine_destroy);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_memory_create);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_memory_desc_equal);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_memory_desc_get_size);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_memory_desc_init_by_tag);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_memory_destroy);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_memory_get_engine);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_memory_get_memory_desc);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_pooling_forward_desc_init);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_post_ops_append_eltwise);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_post_ops_append_sum);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_post_ops_append_sum_v2);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_post_ops_create);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_post_ops_destroy);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_attr_create);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_attr_destroy);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_attr_set_post_ops);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_attr_set_scratchpad_mode);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_create);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_desc_destroy);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_desc_iterator_create);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_desc_iterator_destroy);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_desc_iterator_fetch);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_desc_query_md);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_destroy);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_primitive_execute);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_reorder_primitive_desc_create);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_softmax_forward_desc_init);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_stream_create);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_stream_destroy);
ENGRAFT_LOADED_LATER(kLibDnnl, dnnl_stream_wait);

}  // namespace dnnl

#include <oneapi/dnnl/dnnl.hpp>
