#include "onednn_network.h"

#include <algorithm>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/engine/lowering.h"
#include "engraft/engine/openmp_threads.h"

namespace engraft::bench {
namespace {

using dnnl::memory;
using tag = memory::format_tag;

constexpr auto kF32 = memory::data_type::f32;
constexpr auto kInference = dnnl::prop_kind::forward_inference;

/// Memory of values that come and go: what was given back last, and is still in the cache, is
/// handed out first.
class Buffers {
 public:
  explicit Buffers(const dnnl::engine& engine) : engine_(engine) {}

  memory take(const memory::desc& desc) {
    std::size_t slot = bytes_.size();
    if (free_.empty()) {
      bytes_.push_back(0);
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    bytes_[slot] = std::max(bytes_[slot], desc.get_size());
    users_.emplace_back(memory(desc, engine_, DNNL_MEMORY_NONE), slot);
    return users_.back().first;
  }
  void give_back(const memory& what) {
    for (auto user = users_.rbegin(); user != users_.rend(); ++user) {
      if (user->first.get() == what.get()) return free_.push_back(user->second);
    }
  }
  /// Once everything has been taken.
  void allocate() {
    for (const std::size_t bytes : bytes_) {
      const memory::desc desc({static_cast<std::int64_t>(bytes)}, memory::data_type::u8, tag::a);
      blocks_.emplace_back(desc, engine_);
    }
    for (auto& [user, slot] : users_) user.set_data_handle(blocks_[slot].get_data_handle());
  }

 private:
  dnnl::engine engine_;
  std::vector<std::size_t> bytes_, free_;  ///< of each slot; the slots that nobody has
  std::vector<std::pair<memory, std::size_t>> users_;
  std::vector<memory> blocks_;
};

/// A primitive and what it works on.
struct Call {
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;
};

dnnl::primitive_attr attributes(const Step& step) {
  dnnl::post_ops post;
  if (step.in_place()) post.append_sum(1);
  if (step.activation == Op::kRelu6) post.append_eltwise(1, dnnl::algorithm::eltwise_clip, 0, 6);
  if (step.activation == Op::kRelu) post.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
  dnnl::primitive_attr made;
  made.set_post_ops(post);
  return made;
}

}  // namespace

struct OneDnnNetwork::Impl {
  explicit Impl(const OneDnnSpec& what) : spec(what) {}

  OneDnnSpec spec;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  Buffers buffers{engine};
  std::unordered_map<ValueId, memory> values;
  std::vector<Call> calls;
  memory input, output;

  [[nodiscard]] memory::dims dims_of(const Shape& shape) const {
    if (shape.rank() == 1) return {spec.batch, shape[0], 1, 1};
    return {spec.batch, shape[2], shape[0], shape[1]};
  }
  [[nodiscard]] memory::desc wanted(const memory::dims& dims) const {
    return {dims, kF32, spec.formats == Formats::kChosen ? tag::any : tag::nhwc};
  }
  /// The value as the primitive wants it, and whether that is a copy.
  std::pair<memory, bool> laid_out(const memory& value, const memory::desc& desc) {
    if (value.get_desc() == desc) return {value, false};
    const memory made = buffers.take(desc);
    calls.push_back({dnnl::reorder(value, made), {{DNNL_ARG_FROM, value}, {DNNL_ARG_TO, made}}});
    return {made, true};
  }
  memory packed(const Tensor& tensor, const memory::desc& given, const memory::desc& desc) {
    const memory made(desc, engine);
    memory from(given, engine, const_cast<float*>(tensor.data()));
    memory to = made;
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
    return made;
  }

  template <typename Primitive>
  void add(const Step& step, const typename Primitive::primitive_desc& desc,
           std::unordered_map<int, memory> parameters) {
    const auto [source, copied] = laid_out(values.at(step.input), desc.src_desc());
    const memory result = step.in_place() ? values.at(*step.addend) : buffers.take(desc.dst_desc());
    parameters[DNNL_ARG_SRC] = source;
    parameters[DNNL_ARG_DST] = result;
    calls.push_back({Primitive(desc), std::move(parameters)});
    values[step.output] = result;
    if (copied) buffers.give_back(source);
  }

  void add_convolution(const Step& step, const Shape& in, const Shape& out,
                       const Weights& weights) {
    const Attributes& a = step.attributes;
    const bool depthwise = step.op == Op::kDepthwiseConv;
    const memory::dims kernel = depthwise ? memory::dims{in[2], 1, 1, a.kernel, a.kernel}
                                          : memory::dims{out[2], in[2], a.kernel, a.kernel};
    const memory::desc bias({out[2]}, kF32, tag::x);
    const memory::desc destination =
        step.in_place() ? values.at(*step.addend).get_desc() : wanted(dims_of(out));
    const dnnl::convolution_forward::primitive_desc desc({kInference,
                                                          dnnl::algorithm::convolution_direct,
                                                          wanted(dims_of(in)),
                                                          {kernel, kF32, tag::any},
                                                          bias,
                                                          destination,
                                                          {a.stride, a.stride},
                                                          {a.padding.top, a.padding.left},
                                                          {a.padding.bottom, a.padding.right}},
                                                         attributes(step), engine);
    const memory::desc given(kernel, kF32, depthwise ? tag::hwigo : tag::hwio);
    add<dnnl::convolution_forward>(
        step, desc,
        {{DNNL_ARG_WEIGHTS, packed(weights.at(step.parameters.at(0)), given, desc.weights_desc())},
         {DNNL_ARG_BIAS, packed(weights.at(step.parameters.at(1)), bias, bias)}});
  }

  void add_pool(const Step& step, const Shape& in, const Shape& out) {
    const dnnl::pooling_forward::primitive_desc desc({kInference,
                                                      dnnl::algorithm::pooling_avg_exclude_padding,
                                                      values.at(step.input).get_desc(),
                                                      wanted(dims_of(out)),
                                                      {1, 1},
                                                      {in[0], in[1]},
                                                      {0, 0},
                                                      {0, 0}},
                                                     attributes(step), engine);
    add<dnnl::pooling_forward>(step, desc, {});
  }

  void add_dense(const Step& step, const Shape& in, const Shape& out, const Weights& weights) {
    const memory::dims kernel{out[0], in[0], 1, 1};
    const memory::desc bias({out[0]}, kF32, tag::x);
    const dnnl::inner_product_forward::primitive_desc desc({kInference,
                                                            wanted(dims_of(in)),
                                                            {kernel, kF32, tag::any},
                                                            bias,
                                                            {{spec.batch, out[0]}, kF32, tag::nc}},
                                                           attributes(step), engine);
    add<dnnl::inner_product_forward>(
        step, desc,
        {{DNNL_ARG_WEIGHTS, packed(weights.at(step.parameters.at(0)), {kernel, kF32, tag::hwio},
                                   desc.weights_desc())},
         {DNNL_ARG_BIAS, packed(weights.at(step.parameters.at(1)), bias, bias)}});
  }

  void add_step(const Step& step, const Network& network) {
    const Shape& in = network.graph.shape(step.input);
    const Shape& out = network.graph.shape(step.output);
    switch (step.op) {
      case Op::kConv:
      case Op::kDepthwiseConv:
        return add_convolution(step, in, out, network.weights);
      case Op::kGlobalAveragePool:
        return add_pool(step, in, out);
      case Op::kDense:
        return add_dense(step, in, out, network.weights);
      case Op::kSoftmax:
        return add<dnnl::softmax_forward>(
            step, {{kInference, values.at(step.input).get_desc(), 1}, attributes(step), engine},
            {});
      default:
        throw Error(ErrorKind::kUnsupported, step.name + " is not measured in oneDNN");
    }
  }
};

OneDnnNetwork::OneDnnNetwork(const Network& network, const OneDnnSpec& spec)
    : impl_(std::make_unique<Impl>(spec)) {
  const OpenMpThreads threads(spec.threads);
  const Network folded = fold_batch_norm(network);
  const StepList list = lower(folded.graph);
  std::unordered_map<ValueId, std::size_t> last_reader;
  for (std::size_t i = 0; i < list.steps.size(); ++i) {
    last_reader[list.steps[i].input] = i;
    if (list.steps[i].addend) last_reader[*list.steps[i].addend] = i;
  }
  Impl& impl = *impl_;
  impl.input = memory({impl.dims_of(folded.graph.shape(list.input)), kF32, tag::nhwc}, impl.engine);
  impl.values[list.input] = impl.input;
  for (std::size_t i = 0; i < list.steps.size(); ++i) {
    const Step& step = list.steps[i];
    impl.add_step(step, folded);
    if (last_reader.at(step.input) == i) impl.buffers.give_back(impl.values.at(step.input));
  }
  impl.output = impl.values.at(list.output);
  impl.buffers.allocate();
}

OneDnnNetwork::~OneDnnNetwork() = default;

std::span<float> OneDnnNetwork::input() {
  return {static_cast<float*>(impl_->input.get_data_handle()),
          impl_->input.get_desc().get_size() / sizeof(float)};
}

std::span<const float> OneDnnNetwork::forward() {
  const OpenMpThreads threads(impl_->spec.threads);
  for (const Call& call : impl_->calls) call.primitive.execute(impl_->stream, call.arguments);
  impl_->stream.wait();
  return {static_cast<const float*>(impl_->output.get_data_handle()),
          impl_->output.get_desc().get_size() / sizeof(float)};
}

}  // namespace engraft::bench
