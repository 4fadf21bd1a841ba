#include <fmt/format.h>
#include <onnx.pb.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/formats/onnx.h"
#include "engraft/formats/onnx_build.h"
#include "engraft/formats/onnx_checksum.h"
#include "engraft/formats/onnx_compact.h"
#include "engraft/formats/onnx_layout.h"
#include "engraft/graph/shape_inference.h"

namespace engraft {
namespace {

using namespace onnx_format;

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

[[noreturn]] void unwritable(const std::string& what) {
  throw Error(ErrorKind::kUsage, "cannot be written as ONNX: " + what);
}

class Writer {
 public:
  Writer(const OnnxModel& model, WeightStorage storage, ::onnx::GraphProto& out)
      : graph_(model.network.graph),
        weights_(model.network.weights),
        model_(model),
        storage_(storage),
        out_(out) {}

  void write() {
    check();
    name_values();
    out_.set_name("engraft");
    write_input();
    write_preprocessing();
    for (const Node& node : graph_.nodes()) write_node(node);
    write_output();
  }

 private:
  void check() const {
    const Shape& input = graph_.value_count() > 0 ? graph_.shape(graph_.input()) : Shape{};
    if (input.rank() != 3 || input[2] != 3) {
      unwritable(
          fmt::format("the network takes {} instead of RGB pictures [H,W,3]", input.to_string()));
    }
    check_weights(graph_, weights_);
    for (std::size_t c = 0; c < 3; ++c) {
      if (!std::isfinite(model_.preprocessing.scale[c]) ||
          !std::isfinite(model_.preprocessing.offset[c])) {
        unwritable("scale and offset are not finite");
      }
    }
  }

  /// Values and parameters share one space of names in ONNX.
  std::string claim(std::string_view name) {
    if (!names_.emplace(name).second) {
      unwritable(fmt::format("two values or parameters are named {}", name));
    }
    return std::string(name);
  }

  void name_values() {
    claim(kImage);
    values_.resize(static_cast<std::size_t>(graph_.value_count()));
    values_[0] = claim(graph_.name(graph_.input()));
    for (const Node& node : graph_.nodes()) {
      const bool probabilities =
          node.output == graph_.output() && (node.op == Op::kSoftmax || node.op == Op::kSigmoid);
      value(node.output) = claim(probabilities ? kProbabilities : std::string_view(node.name));
    }
  }

  std::string& value(ValueId id) { return values_[static_cast<std::size_t>(id)]; }

  static void set_shape(::onnx::ValueInfoProto& info, std::span<const std::int64_t> extents) {
    ::onnx::TypeProto_Tensor& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(::onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param(std::string(kBatchAxis));
    for (const std::int64_t extent : extents)
      type.mutable_shape()->add_dim()->set_dim_value(extent);
  }

  void write_input() {
    ::onnx::ValueInfoProto& info = *out_.add_input();
    info.set_name(std::string(kImage));
    info.set_doc_string("upright RGB pictures, values 0 to 255");
    set_shape(info, graph_.shape(graph_.input()).extents());
  }

  void write_output() {
    ::onnx::ValueInfoProto& info = *out_.add_output();
    info.set_name(value(graph_.output()));
    const Shape& shape = graph_.shape(graph_.output());
    std::vector<std::int64_t> extents = shape.extents();
    if (shape.rank() == 3) extents = {shape[2], shape[0], shape[1]};  // ONNX is NCHW inside
    set_shape(info, extents);
  }

  ::onnx::NodeProto& add_node(const NodeSpec& spec) { return onnx_format::add_node(out_, spec); }

  ::onnx::TensorProto& add_tensor(std::string_view name, std::span<const std::int64_t> extents) {
    return onnx_format::add_tensor(out_, name, extents);
  }

  std::string add_constant(std::string_view name, std::span<const float> values) {
    const std::vector<std::int64_t> extents(1, static_cast<std::int64_t>(values.size()));
    set_raw(add_tensor(claim(name), extents), values.data(), values.size_bytes());
    return std::string(name);
  }

  void add_integers(std::string_view name, std::span<const std::int64_t> values) {
    const std::vector<std::int64_t> extents(1, static_cast<std::int64_t>(values.size()));
    ::onnx::TensorProto& tensor = add_tensor(claim(name), extents);
    tensor.set_data_type(::onnx::TensorProto::INT64);
    set_raw(tensor, values.data(), values.size_bytes());
  }

  std::string add_scalar(std::string_view name, float value) {
    set_raw(add_tensor(claim(name), {}), &value, sizeof value);
    return std::string(name);
  }

  /// pixel · scale + offset, rounded after each of the two as the Image module does, then NCHW.
  void write_preprocessing() {
    std::string x(kImage);
    if (model_.preprocessing.swap_red_blue) {
      add_integers(kChannels, std::array<std::int64_t, 3>{2, 1, 0});
      set_int(
          add_node(
              {"Gather", std::string(kReordered), {x, std::string(kChannels)}, claim(kReordered)}),
          "axis", 3);
      x = kReordered;
    }
    add_node({"Mul",
              std::string(kScaled),
              {x, add_constant(kScale, model_.preprocessing.scale)},
              claim(kScaled)});
    add_node({"Add",
              std::string(kShifted),
              {std::string(kScaled), add_constant(kOffset, model_.preprocessing.offset)},
              claim(kShifted)});
    set_ints(
        add_node(
            {"Transpose", std::string(kToNchw), {std::string(kShifted)}, value(graph_.input())}),
        "perm", {0, 3, 1, 2});
  }

  void write_node(const Node& node) {
    switch (node.op) {
      case Op::kConv:
      case Op::kDepthwiseConv:
        return write_conv(node);
      case Op::kBatchNorm:
        return set_float(write_plain(node, "BatchNormalization"), "epsilon",
                         node.attributes.epsilon);
      case Op::kRelu:
        return static_cast<void>(write_plain(node, "Relu"));
      case Op::kRelu6:
        return write_relu6(node);
      case Op::kAdd:
        return static_cast<void>(write_plain(node, "Add"));
      case Op::kGlobalAveragePool:
        return write_pool(node);
      case Op::kDense:
        return write_dense(node);
      case Op::kDropout:
        write_plain(node, "Dropout")
            .add_input(add_scalar(node.name + std::string(kRatioSuffix), node.attributes.rate));
        return;
      case Op::kSoftmax:
        return set_int(write_plain(node, "Softmax"), "axis", 1);  // channels, in NCHW and NC alike
      case Op::kSigmoid:
        return static_cast<void>(write_plain(node, "Sigmoid"));
      case Op::kHardSigmoid:
        return write_hard_sigmoid(node);
      case Op::kHardSwish:
        return static_cast<void>(write_plain(node, "HardSwish"));
      case Op::kMultiply:
        return write_multiply(node);
    }
  }

  /// A node whose inputs are its values and then its parameters.
  ::onnx::NodeProto& write_plain(const Node& node, const char* op) {
    NodeSpec spec{op, node.name, {}, value(node.output)};
    for (const ValueId input : node.inputs) spec.inputs.push_back(value(input));
    for (const std::string& name : node.parameters) spec.inputs.push_back(write_parameter(name));
    return add_node(spec);
  }

  void write_conv(const Node& node) {
    const Attributes& a = node.attributes;
    ::onnx::NodeProto& out = write_plain(node, "Conv");
    if (node.op == Op::kDepthwiseConv) set_int(out, "group", graph_.shape(node.output)[2]);
    set_ints(out, "kernel_shape", {a.kernel, a.kernel});
    set_ints(out, "pads", {a.padding.top, a.padding.left, a.padding.bottom, a.padding.right});
    set_ints(out, "strides", {a.stride, a.stride});
  }

  /// With the channels of int8 first, as in a convolution: ONNX Runtime takes a Gemm of the other
  /// order for one whose input may be rounded to int8 as well, and is then off by some 1e-3.
  void write_dense(const Node& node) {
    ::onnx::NodeProto& out = write_plain(node, "Gemm");
    if (storage_of(node.parameters[0]) == StoredAs::kInt8) set_int(out, "transB", 1);
  }

  void write_relu6(const Node& node) {
    if (!clip_written_) {
      add_scalar(kClipMin, 0);
      add_scalar(kClipMax, 6);
      clip_written_ = true;
    }
    ::onnx::NodeProto& out = write_plain(node, "Clip");
    out.add_input(std::string(kClipMin));
    out.add_input(std::string(kClipMax));
  }

  void write_hard_sigmoid(const Node& node) {
    ::onnx::NodeProto& out = write_plain(node, "HardSigmoid");
    set_float(out, "alpha", kHardSigmoidAlpha);
    set_float(out, "beta", kHardSigmoidBeta);
  }

  void write_multiply(const Node& node) {
    const ValueId x = node.inputs[0], by = node.inputs[1];
    std::string factors = value(by);
    if (graph_.shape(x) != graph_.shape(by)) {
      if (!gate_axes_written_) add_integers(kGateAxes, std::array<std::int64_t, 2>{2, 3});
      gate_axes_written_ = true;
      const std::string gate = claim(node.name + std::string(kGateSuffix));
      add_node({"Unsqueeze", gate, {factors, std::string(kGateAxes)}, gate});
      factors = gate;
    }
    add_node({"Mul", node.name, {value(x), factors}, value(node.output)});
  }

  void write_pool(const Node& node) {
    const std::string mean = claim(node.name + std::string(kMeanSuffix));
    add_node({"GlobalAveragePool", mean, {value(node.inputs[0])}, mean});
    set_int(add_node({"Flatten", node.name, {mean}, value(node.output)}), "axis", 1);
  }

  const std::string& write_parameter(const std::string& name) {
    if (!written_.insert(name).second) return name;
    claim(name);
    const Tensor& tensor = weights_.at(name);
    const Shape& s = tensor.shape();
    const StoredAs as = storage_of(name);
    for (const std::string_view suffix : suffixes_of(as)) claim(name + std::string(suffix));
    if (s.rank() < 3 && as != StoredAs::kInt8) {
      add_parameter(out_, {.name = name, .extents = s.extents()}, tensor.values(), as);
      return name;
    }
    const std::vector<std::int64_t> extents = outputs_first(s);
    const std::int64_t area = s.rank() == 2 ? 1 : s[0] * s[1];
    std::vector<float> values(tensor.size());
    hwio_to_oihw(tensor.values(), values,
                 {.area = static_cast<std::size_t>(area),
                  .inputs = static_cast<std::size_t>(extents[1]),
                  .outputs = static_cast<std::size_t>(extents[0])});
    add_parameter(out_, {.name = name, .extents = extents}, values, as);
    return name;
  }

  static std::vector<std::int64_t> outputs_first(const Shape& s) {
    if (s.rank() == 2) return {s[1], s[0]};
    return {s[-1], s.rank() == 3 ? 1 : s[2], s[0], s[1]};
  }

  [[nodiscard]] StoredAs storage_of(const std::string& name) const {
    const Tensor& tensor = weights_.at(name);
    return storage_ == WeightStorage::kFloat ? StoredAs::kFloat
                                             : compact_storage(tensor.shape(), tensor.values());
  }

  const Graph& graph_;
  const Weights& weights_;
  const OnnxModel& model_;
  WeightStorage storage_;
  ::onnx::GraphProto& out_;
  std::vector<std::string> values_;  ///< ONNX name of each value
  std::set<std::string> names_;      ///< all names taken
  std::set<std::string> written_;    ///< parameters
  bool clip_written_ = false, gate_axes_written_ = false;
};

int opset_of(const Graph& graph) {
  const auto& nodes = graph.nodes();
  return std::any_of(nodes.begin(), nodes.end(),
                     [](const Node& node) { return node.op == Op::kHardSwish; })
             ? kHardSwishOpset
             : kOpset;
}

void append(Bytes& bytes, const ::google::protobuf::MessageLite& message) {
  const std::size_t start = bytes.size();
  const std::size_t size = message.ByteSizeLong();
  if (size > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    unwritable("it would be larger than 2 GiB");
  }
  bytes.resize(start + size);
  message.SerializeToArray(bytes.data() + start, static_cast<int>(size));
}

}  // namespace

Bytes write_onnx(const OnnxModel& model, WeightStorage storage) {
  ::onnx::ModelProto head, body;
  head.set_ir_version(kIrVersion);
  head.set_producer_name("engraft");
  head.add_opset_import()->set_version(opset_of(model.network.graph));
  head.mutable_opset_import(0)->set_domain("");
  for (const auto& [key, value] : model.metadata) {
    ::onnx::StringStringEntryProto& entry = *head.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  Writer(model, storage, *body.mutable_graph()).write();
  // Two messages one after the other are one to every reader. With the graph last, a file that was
  // cut short anywhere does not parse.
  Bytes bytes, graph;
  append(bytes, head);
  append(graph, body);
  append_checked(bytes, graph);
  return bytes;
}

}  // namespace engraft
