// Every step as one oneDNN primitive: with training/convolution_backward.cpp, all that knows
// oneDNN.
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/engine/libdnnl.h"
#include "engraft/engine/memory_layout.h"
#include "engraft/engine/onednn_memory.h"
#include "engraft/engine/operation.h"

namespace engraft {
namespace {

using dnnl::memory;

constexpr auto kInference = dnnl::prop_kind::forward_inference;

/// A parameter as the graph has it and as the primitive wants it.
struct Parameter {
  std::string name;
  int argument = 0;  ///< DNNL_ARG_…
  memory::desc given, packed;
};

/// What a builder finds out about its step.
struct Compiled {
  dnnl::engine engine;
  dnnl::primitive primitive;
  memory::desc input, addend, output, scratch;
  std::vector<Parameter> parameters;
};

/// A primitive with its memory objects: nothing is allocated here from one run to the next.
class BoundPrimitive final : public BoundOperation {
 public:
  BoundPrimitive(dnnl::primitive primitive, const dnnl::engine& engine)
      : primitive_(std::move(primitive)), stream_(engine) {}

  void add(int argument, const dnnl::memory& value) {
    memories_.push_back(value);
    arguments_.push_back({argument, value.get()});
  }

  void run() override {
    dnnl::error::wrap_c_api(
        dnnl::dnnl_primitive_execute(primitive_.get(), stream_.get(),
                                     static_cast<int>(arguments_.size()), arguments_.data()),
        "could not execute a primitive");
  }

 private:
  dnnl::primitive primitive_;
  dnnl::stream stream_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

class OneDnnOperation final : public Operation {
 public:
  explicit OneDnnOperation(Compiled compiled) : compiled_(std::move(compiled)) {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return compiled_.scratch.get_size(); }

  [[nodiscard]] std::size_t parameter_bytes() const override {
    std::size_t bytes = 0;
    for (const Parameter& parameter : compiled_.parameters) {
      bytes += aligned(parameter.packed.get_size());
    }
    return bytes;
  }

  void pack_parameters(const Weights& weights, std::byte* memory) override {
    packed_.clear();
    for (const Parameter& parameter : compiled_.parameters) {
      const Tensor& tensor = weights.at(parameter.name);
      if (parameter.given == parameter.packed) {
        std::memcpy(memory, tensor.data(), tensor.size() * sizeof(float));
      } else {
        reorder(parameter, tensor, memory);
      }
      packed_.emplace_back(parameter.packed, compiled_.engine, memory);
      memory += aligned(parameter.packed.get_size());
    }
  }

  [[nodiscard]] std::unique_ptr<BoundOperation> bind(const Operands& operands) const override {
    auto bound = std::make_unique<BoundPrimitive>(compiled_.primitive, compiled_.engine);
    const auto place = [&](int argument, const memory::desc& desc, void* at) {
      if (desc.get_size() > 0) bound->add(argument, dnnl::memory(desc, compiled_.engine, at));
    };
    place(DNNL_ARG_SRC, compiled_.input, operands.input);
    place(DNNL_ARG_SRC_1, compiled_.addend, operands.addend ? operands.addend : operands.input);
    place(DNNL_ARG_DST, compiled_.output, operands.output);
    place(DNNL_ARG_SCRATCHPAD, compiled_.scratch, operands.scratch);
    for (std::size_t i = 0; i < packed_.size(); ++i) {
      bound->add(compiled_.parameters[i].argument, packed_[i]);
    }
    return bound;
  }

 private:
  void reorder(const Parameter& parameter, const Tensor& tensor, std::byte* at) const {
    dnnl::stream stream(compiled_.engine);
    // oneDNN takes its source as a plain pointer, but only reads it.
    dnnl::memory from(parameter.given, compiled_.engine, const_cast<float*>(tensor.data()));
    dnnl::memory to(parameter.packed, compiled_.engine, at);
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
  }

  Compiled compiled_;
  std::vector<dnnl::memory> packed_;
};

/// Rows × channels, for what treats every pixel alike.
memory::desc rows(const OperationSpec& spec) {
  const std::int64_t channels = spec.input[-1];
  return {{spec.batch * spec.input.elements() / channels, channels}, kF32, memory::format_tag::ab};
}

void append_activation(dnnl::post_ops& post, Op activation) {
  switch (activation) {
    case Op::kRelu:
      return post.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
    case Op::kRelu6:
      return post.append_eltwise(1, dnnl::algorithm::eltwise_clip, 0, 6);
    case Op::kHardSwish:
      return post.append_eltwise(1, dnnl::algorithm::eltwise_hardswish, 0, 0);
    case Op::kHardSigmoid:
      // No algorithm twice: oneDNN 2.6 gives both the arguments of the second.
      post.append_eltwise(1, dnnl::algorithm::eltwise_linear, 1, 3);
      return post.append_eltwise(1.0f / 6, dnnl::algorithm::eltwise_bounded_relu, 6, 0);
    default:
      return post.append_eltwise(1, dnnl::algorithm::eltwise_logistic, 0, 0);
  }
}

dnnl::primitive_attr attributes(const Step& step) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops post;
  if (step.in_place()) post.append_sum(1);
  if (step.activation) append_activation(post, *step.activation);
  attributes.set_post_ops(post);
  return attributes;
}

/// The parts that every primitive descriptor answers alike.
template <typename Primitive>
Compiled finish(const dnnl::engine& engine, const typename Primitive::primitive_desc& desc) {
  return {.engine = engine,
          .primitive = Primitive(desc),
          .input = {},
          .addend = {},
          .output = desc.dst_desc(),
          .scratch = desc.scratchpad_desc(),
          .parameters = {}};
}

/// A convolution's extents and how its kernel stands in Weights.
struct ConvolutionSpec {
  memory::desc source, destination;
  memory::dims kernel;
  memory::format_tag kernel_layout = memory::format_tag::hwio;
};

Compiled convolution(const Step& step, const ConvolutionSpec& spec, const dnnl::engine& engine) {
  const Attributes& a = step.attributes;
  const memory::desc bias = step.parameters.size() > 1 ? memory::desc({spec.destination.dims()[1]},
                                                                      kF32, memory::format_tag::x)
                                                       : memory::desc();
  const dnnl::convolution_forward::desc desc(
      kInference, dnnl::algorithm::convolution_direct, spec.source,
      memory::desc(spec.kernel, kF32, memory::format_tag::any), bias, spec.destination,
      {a.stride, a.stride}, {a.padding.top, a.padding.left}, {a.padding.bottom, a.padding.right});
  const dnnl::convolution_forward::primitive_desc primitive(desc, attributes(step), engine);

  Compiled compiled = finish<dnnl::convolution_forward>(engine, primitive);
  compiled.input = spec.source;
  compiled.parameters.push_back({.name = step.parameters[0],
                                 .argument = DNNL_ARG_WEIGHTS,
                                 .given = memory::desc(spec.kernel, kF32, spec.kernel_layout),
                                 .packed = primitive.weights_desc()});
  if (step.parameters.size() > 1) {
    compiled.parameters.push_back(
        {.name = step.parameters[1], .argument = DNNL_ARG_BIAS, .given = bias, .packed = bias});
  }
  return compiled;
}

Compiled convolution(const OperationSpec& spec, const dnnl::engine& engine) {
  const std::int64_t k = spec.step.attributes.kernel;
  return convolution(spec.step,
                     {.source = pictures(spec.input, spec.batch),
                      .destination = pictures(spec.output, spec.batch),
                      .kernel = {spec.output[2], spec.input[2], k, k},
                      .kernel_layout = memory::format_tag::hwio},
                     engine);
}

Compiled depthwise_convolution(const OperationSpec& spec, const dnnl::engine& engine) {
  const std::int64_t k = spec.step.attributes.kernel;
  return convolution(spec.step,
                     {.source = pictures(spec.input, spec.batch),
                      .destination = pictures(spec.output, spec.batch),
                      .kernel = {spec.input[2], 1, 1, k, k},
                      .kernel_layout = memory::format_tag::hwigo},
                     engine);
}

/// A dense layer as a 1×1 convolution of one picture whose pixels are the batch. oneDNN's own inner
/// product splits a long sum among its threads, so its bits depend on their number.
Compiled dense(const OperationSpec& spec, const dnnl::engine& engine) {
  return convolution(spec.step,
                     {.source = pictures({1, spec.batch, spec.input[0]}, 1),
                      .destination = pictures({1, spec.batch, spec.output[0]}, 1),
                      .kernel = {spec.output[0], spec.input[0], 1, 1},
                      .kernel_layout = memory::format_tag::hwio},
                     engine);
}

Compiled batch_norm(const OperationSpec& spec, const dnnl::engine& engine) {
  using dnnl::normalization_flags;
  const Step& step = spec.step;
  const std::int64_t channels = spec.input[-1];
  const memory::desc source({spec.batch, channels, spec.input.elements() / channels, 1}, kF32,
                            memory::format_tag::nhwc);
  const dnnl::batch_normalization_forward::desc desc(kInference, source, step.attributes.epsilon,
                                                     normalization_flags::use_global_stats |
                                                         normalization_flags::use_scale |
                                                         normalization_flags::use_shift);
  const dnnl::batch_normalization_forward::primitive_desc primitive(desc, attributes(step), engine);

  Compiled compiled = finish<dnnl::batch_normalization_forward>(engine, primitive);
  compiled.input = source;
  const memory::desc vector({channels}, kF32, memory::format_tag::x);
  constexpr std::array<int, 4> kArguments{DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_MEAN,
                                          DNNL_ARG_VARIANCE};
  for (std::size_t i = 0; i < kArguments.size(); ++i) {
    compiled.parameters.push_back(
        {.name = step.parameters[i], .argument = kArguments[i], .given = vector, .packed = vector});
  }
  return compiled;
}

Compiled global_average_pool(const OperationSpec& spec, const dnnl::engine& engine) {
  const memory::desc source = pictures(spec.input, spec.batch);
  const memory::desc pooled({spec.batch, spec.output[0], 1, 1}, kF32, memory::format_tag::nhwc);
  const dnnl::pooling_forward::desc desc(kInference, dnnl::algorithm::pooling_avg_exclude_padding,
                                         source, pooled, {1, 1}, {spec.input[0], spec.input[1]},
                                         {0, 0}, {0, 0});
  Compiled compiled = finish<dnnl::pooling_forward>(engine, {desc, attributes(spec.step), engine});
  compiled.input = source;
  return compiled;
}

Compiled add(const OperationSpec& spec, const dnnl::engine& engine) {
  const memory::desc values = rows(spec);
  const dnnl::binary::desc desc(dnnl::algorithm::binary_add, values, values, values);
  Compiled compiled = finish<dnnl::binary>(engine, {desc, attributes(spec.step), engine});
  compiled.input = values;
  compiled.addend = values;
  return compiled;
}

/// [H,W,C] by [H,W,C], or by a picture's own [C] at every pixel.
Compiled multiply_primitive(const OperationSpec& spec, const dnnl::engine& engine) {
  const bool gated = spec.second && *spec.second != spec.input;
  const memory::desc values = gated ? pictures(spec.input, spec.batch) : rows(spec);
  const memory::desc factors =
      gated ? pictures({1, 1, spec.input[2]}, spec.batch) : memory::desc(values);
  const dnnl::binary::desc desc(dnnl::algorithm::binary_mul, values, factors, values);
  Compiled compiled = finish<dnnl::binary>(engine, {desc, attributes(spec.step), engine});
  compiled.input = values;
  compiled.addend = factors;
  return compiled;
}

/// oneDNN has hard sigmoid as the end of another primitive alone: it follows on max(x, x).
Compiled hard_sigmoid(const OperationSpec& spec, const dnnl::engine& engine) {
  const memory::desc values = rows(spec);
  dnnl::primitive_attr attribute = attributes(spec.step);
  dnnl::post_ops post;
  append_activation(post, Op::kHardSigmoid);
  attribute.set_post_ops(post);
  const dnnl::binary::desc desc(dnnl::algorithm::binary_max, values, values, values);
  Compiled compiled = finish<dnnl::binary>(engine, {desc, attribute, engine});
  compiled.input = values;
  compiled.addend = values;
  return compiled;
}

Compiled activation(const OperationSpec& spec, const dnnl::engine& engine) {
  const Op op = spec.step.op;
  const auto algorithm = op == Op::kRelu        ? dnnl::algorithm::eltwise_relu
                         : op == Op::kRelu6     ? dnnl::algorithm::eltwise_clip
                         : op == Op::kHardSwish ? dnnl::algorithm::eltwise_hardswish
                                                : dnnl::algorithm::eltwise_logistic;
  const dnnl::eltwise_forward::desc desc(kInference, algorithm, rows(spec), 0,
                                         op == Op::kRelu6 ? 6.0f : 0.0f);
  Compiled compiled = finish<dnnl::eltwise_forward>(engine, {desc, attributes(spec.step), engine});
  compiled.input = rows(spec);
  return compiled;
}

Compiled softmax_primitive(const OperationSpec& spec, const dnnl::engine& engine) {
  const dnnl::softmax_forward::desc desc(kInference, rows(spec), 1);
  Compiled compiled = finish<dnnl::softmax_forward>(engine, {desc, attributes(spec.step), engine});
  compiled.input = rows(spec);
  return compiled;
}

Compiled compile(const OperationSpec& spec) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  switch (spec.step.op) {
    case Op::kConv:
      return convolution(spec, engine);
    case Op::kDepthwiseConv:
      return depthwise_convolution(spec, engine);
    case Op::kDense:
      return dense(spec, engine);
    case Op::kBatchNorm:
      return batch_norm(spec, engine);
    case Op::kGlobalAveragePool:
      return global_average_pool(spec, engine);
    case Op::kAdd:
      return add(spec, engine);
    case Op::kRelu:
    case Op::kRelu6:
    case Op::kSigmoid:
    case Op::kHardSwish:
      return activation(spec, engine);
    case Op::kHardSigmoid:
      return hard_sigmoid(spec, engine);
    case Op::kMultiply:
      return multiply_primitive(spec, engine);
    case Op::kSoftmax:
      return softmax_primitive(spec, engine);
    case Op::kDropout:
      break;
  }
  throw Error(ErrorKind::kInternal,
              fmt::format("{}: {} reached the engine", spec.step.name, name_of(spec.step.op)));
}

}  // namespace

std::unique_ptr<Operation> make_onednn_operation(const OperationSpec& spec) {
  try {
    return std::make_unique<OneDnnOperation>(compile(spec));
  } catch (const dnnl::error& error) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{} ({}) on {}: oneDNN has no way to compute this: {}", spec.step.name,
                            name_of(spec.step.op), spec.input.to_string(), error.what()));
  }
}

}  // namespace engraft
