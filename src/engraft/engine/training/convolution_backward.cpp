#include "engraft/engine/training/convolution_backward.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/arena.h"
#include "engraft/base/error.h"
#include "engraft/engine/libdnnl.h"
#include "engraft/engine/memory_layout.h"
#include "engraft/engine/onednn_memory.h"
#include "engraft/kernels/elementwise.h"

namespace engraft {

using dnnl::memory;

struct ConvolutionBackward::Impl {
  explicit Impl(const Spec& spec);

  /// A memory object over somebody's bytes. oneDNN takes sources as plain pointers, but only reads.
  [[nodiscard]] dnnl::memory over(const memory::desc& desc, const void* at) const {
    return {desc, engine, const_cast<void*>(at)};
  }

  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  memory::desc source, destination, plain_kernel, any_kernel, bias;
  dnnl::convolution_backward_weights::primitive_desc weights_desc;
  dnnl::convolution_backward_data::primitive_desc data_desc;
  dnnl::convolution_backward_weights weights;
  dnnl::convolution_backward_data data;
  /// Kernel gradients as `weights` makes them → plain. Made once, for making one in each run would
  /// have all threads meet in oneDNN's cache.
  dnnl::reorder::primitive_desc unpack_desc;
  dnnl::reorder unpack;
  Arena kernel;  ///< as data wants it
};

ConvolutionBackward::Impl::Impl(const Spec& spec)
    : source(pictures(spec.input, spec.pictures)),
      destination(pictures(spec.output, spec.pictures)) {
  const Attributes& a = spec.attributes;
  const memory::dims dims{spec.output[2], spec.input[2], a.kernel, a.kernel};
  plain_kernel = memory::desc(dims, kF32, memory::format_tag::hwio);
  any_kernel = memory::desc(dims, kF32, memory::format_tag::any);
  bias = memory::desc({spec.output[2]}, kF32, memory::format_tag::x);
  const memory::dims stride{a.stride, a.stride};
  const memory::dims before{a.padding.top, a.padding.left};
  const memory::dims after{a.padding.bottom, a.padding.right};
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  constexpr auto kDirect = dnnl::algorithm::convolution_direct;

  const dnnl::convolution_forward::primitive_desc hint(
      {dnnl::prop_kind::forward_training, kDirect, source, any_kernel, bias, destination, stride,
       before, after},
      engine);
  weights_desc = {{kDirect, source, any_kernel, bias, destination, stride, before, after},
                  attributes,
                  engine,
                  hint};
  data_desc = {
      {kDirect, source, any_kernel, destination, stride, before, after}, attributes, engine, hint};
  weights = dnnl::convolution_backward_weights(weights_desc);
  data = dnnl::convolution_backward_data(data_desc);
  unpack_desc = {engine, weights_desc.diff_weights_desc(), engine, plain_kernel, attributes};
  unpack = dnnl::reorder(unpack_desc);
  kernel = Arena(data_desc.weights_desc().get_size());
}

ConvolutionBackward::ConvolutionBackward(const Spec& spec) {
  try {
    impl_ = std::make_unique<Impl>(spec);
  } catch (const dnnl::error& error) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("the gradient of a convolution of {} into {}: oneDNN has no way to "
                            "compute it: {}",
                            spec.input.to_string(), spec.output.to_string(), error.what()));
  }
}

ConvolutionBackward::~ConvolutionBackward() = default;

std::size_t ConvolutionBackward::scratch_bytes() const {
  const std::size_t weights = aligned(impl_->weights_desc.diff_weights_desc().get_size()) +
                              aligned(impl_->plain_kernel.get_size()) +
                              aligned(impl_->bias.get_size()) +
                              std::max(impl_->weights_desc.scratchpad_desc().get_size(),
                                       impl_->unpack_desc.scratchpad_desc().get_size());
  return std::max(weights, impl_->data_desc.scratchpad_desc().get_size());
}

void ConvolutionBackward::set_kernel(const Tensor& kernel) {
  dnnl::stream stream(impl_->engine);
  dnnl::memory from = impl_->over(impl_->plain_kernel, kernel.data());
  dnnl::memory to = impl_->over(impl_->data_desc.weights_desc(), impl_->kernel.data());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
}

void ConvolutionBackward::add_weight_gradient(const float* x, const float* dy, float* dw, float* db,
                                              std::byte* scratch) const {
  const auto take = [&](std::size_t bytes) {
    std::byte* const at = scratch;
    scratch += aligned(bytes);
    return at;
  };
  const memory::desc packed = impl_->weights_desc.diff_weights_desc();
  dnnl::memory d_kernel = impl_->over(packed, take(packed.get_size()));
  auto* const plain = reinterpret_cast<float*>(take(impl_->plain_kernel.get_size()));
  auto* const d_bias = reinterpret_cast<float*>(take(impl_->bias.get_size()));
  dnnl::stream stream(impl_->engine);
  impl_->weights.execute(
      stream, {{DNNL_ARG_SRC, impl_->over(impl_->source, x)},
               {DNNL_ARG_DIFF_DST, impl_->over(impl_->destination, dy)},
               {DNNL_ARG_DIFF_WEIGHTS, d_kernel},
               {DNNL_ARG_DIFF_BIAS, impl_->over(impl_->bias, d_bias)},
               {DNNL_ARG_SCRATCHPAD, impl_->over(impl_->weights_desc.scratchpad_desc(), scratch)}});
  dnnl::memory to = impl_->over(impl_->plain_kernel, plain);
  impl_->unpack.execute(
      stream, {{DNNL_ARG_FROM, d_kernel},
               {DNNL_ARG_TO, to},
               {DNNL_ARG_SCRATCHPAD, impl_->over(impl_->unpack_desc.scratchpad_desc(), scratch)}});
  stream.wait();
  const std::size_t size = impl_->plain_kernel.get_size() / sizeof(float);
  add_to(std::span<const float>(plain, size), std::span(dw, size));
  const std::size_t channels = impl_->bias.get_size() / sizeof(float);
  if (db) add_to(std::span<const float>(d_bias, channels), std::span(db, channels));
}

void ConvolutionBackward::input_gradient(const float* dy, float* dx, std::byte* scratch) const {
  dnnl::stream stream(impl_->engine);
  impl_->data.execute(
      stream,
      {{DNNL_ARG_DIFF_DST, impl_->over(impl_->destination, dy)},
       {DNNL_ARG_WEIGHTS, impl_->over(impl_->data_desc.weights_desc(), impl_->kernel.data())},
       {DNNL_ARG_DIFF_SRC, impl_->over(impl_->source, dx)},
       {DNNL_ARG_SCRATCHPAD, impl_->over(impl_->data_desc.scratchpad_desc(), scratch)}});
  stream.wait();
}

}  // namespace engraft
