#pragma once

#include "engraft/engine/libdnnl.h"
#include "engraft/tensor/shape.h"

namespace engraft {

/// Single-precision floats, to oneDNN.
inline constexpr auto kF32 = dnnl::memory::data_type::f32;

/// A batch of arrays [height, width, channels], as oneDNN describes it.
[[nodiscard]] inline dnnl::memory::desc pictures(const Shape& shape, int batch) {
  return {{batch, shape[2], shape[0], shape[1]}, kF32, dnnl::memory::format_tag::nhwc};
}

}  // namespace engraft
