#include <fmt/format.h>
#include <onnx.pb.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/formats/one_line.h"
#include "engraft/formats/onnx.h"
#include "engraft/formats/onnx_checksum.h"
#include "engraft/formats/onnx_layout.h"
#include "engraft/formats/onnx_node.h"
#include "engraft/formats/onnx_scan.h"
#include "engraft/formats/onnx_tensors.h"
#include "engraft/graph/shape_inference.h"

namespace engraft {
namespace {

using namespace onnx_format;

/// More values than any activation of a picture has: 1 GiB of floats.
constexpr std::int64_t kMaxActivation = std::int64_t{1} << 28;
constexpr std::int64_t kMaxSide = 1 << 14;
/// Of a kernel, as long as they are turned: a cache line of the turned one.
constexpr std::size_t kOutputsTogether = 16;

class ModelReader {
 public:
  ModelReader(const ::onnx::ModelProto& model, OnnxModel& result)
      : in_(model.graph()), model_(model), result_(result), tensors_(in_) {}

  void read() {
    check_versions();
    read_metadata();
    read_input();
    read_preprocessing();
    while (next_ < in_.node_size()) read_node(in_.node(next_++));
    read_output();
  }

 private:
  void check_versions() const {
    if (!model_.has_graph()) damaged("holds no graph");
    if (model_.opset_import_size() != 1 || !model_.opset_import(0).domain().empty() ||
        (opset() != kOpset && opset() != kHardSwishOpset)) {
      unsupported(fmt::format("uses other operator sets than ONNX' own versions {} and {}", kOpset,
                              kHardSwishOpset));
    }
  }

  [[nodiscard]] std::int64_t opset() const { return model_.opset_import(0).version(); }

  void read_metadata() {
    for (const auto& entry : model_.metadata_props()) {
      if (entry.key() == kChecksumKey) continue;
      if (!result_.metadata.emplace(entry.key(), entry.value()).second) {
        damaged(fmt::format("metadata {} is there twice", entry.key()));
      }
    }
  }

  void read_input() {
    if (in_.input_size() != 1 || in_.input(0).name() != kImage) {
      unsupported(fmt::format("its first input is {} instead of {}",
                              in_.input_size() ? in_.input(0).name() : "missing", kImage));
    }
    const ::onnx::TypeProto_Tensor& type = in_.input(0).type().tensor_type();
    const auto& dims = type.shape().dim();
    const bool fits = type.elem_type() == ::onnx::TensorProto::FLOAT && dims.size() == 4 &&
                      dims[0].has_dim_param() && dims[3].dim_value() == 3 &&
                      std::all_of(dims.begin() + 1, dims.end(), [](const auto& dim) {
                        return dim.dim_value() >= 1 && dim.dim_value() <= kMaxSide;
                      });
    if (!fits) unsupported(fmt::format("its input {} is not float [N,H,W,3]", kImage));
    graph_ = Graph(Shape{dims[1].dim_value(), dims[2].dim_value(), 3});
  }

  /// The next node, which must be this one.
  NodeReader expect(const char* op, std::string_view input) {
    if (next_ >= in_.node_size()) damaged(fmt::format("has no {} node for its input", op));
    const ::onnx::NodeProto& node = in_.node(next_++);
    NodeReader reader(node);
    if (node.op_type() != op || node.input_size() < 1 || node.input(0) != input) {
      reader.unsupported(fmt::format("stands where {} of {} should", op, input));
    }
    return reader;
  }

  void read_preprocessing() {
    std::string x(kImage);
    if (next_ < in_.node_size() && in_.node(next_).op_type() == "Gather") {
      NodeReader gather = expect("Gather", x);
      gather.require_int("axis", 3);
      gather.finish(2);
      tensors_.require_integers(gather, 1, std::array<std::int64_t, 3>{2, 1, 0},
                                "orders channels otherwise than blue, green, red");
      result_.preprocessing.swap_red_blue = true;
      x = gather.output();
    }
    NodeReader mul = expect("Mul", x);
    mul.finish(2);
    result_.preprocessing.scale = read_triple(mul);
    NodeReader add = expect("Add", mul.output());
    add.finish(2);
    result_.preprocessing.offset = read_triple(add);
    NodeReader transpose = expect("Transpose", add.output());
    if (transpose.take_ints("perm") != std::vector<std::int64_t>{0, 3, 1, 2}) {
      transpose.unsupported("does not bring NHWC to NCHW");
    }
    transpose.finish(1);
    values_.emplace(transpose.output(), graph_.input());
  }

  [[nodiscard]] std::array<float, 3> read_triple(const NodeReader& node) const {
    const Tensor triple = tensors_.stored(node, 1).all();
    if (triple.shape() != Shape{3}) node.unsupported("has not one value a channel");
    const std::span<const float> values = triple.values();
    return {values[0], values[1], values[2]};
  }

  [[nodiscard]] ValueId value(const NodeReader& node, int input) const {
    const auto found = values_.find(node.input(input));
    if (found == values_.end()) {
      node.unsupported(fmt::format("its input {} does not exist", node.input(input)));
    }
    return found->second;
  }

  void read_node(const ::onnx::NodeProto& proto) {
    NodeReader in(proto);
    Node node{.op = Op::kRelu, .name = proto.name()};
    const std::string& type = proto.op_type();
    if (type == "DequantizeLinear" || type == "Cast") {
      return read_packed(in, type);
    } else if (type == "Conv") {
      read_conv(in, node);
    } else if (type == "BatchNormalization") {
      node.op = Op::kBatchNorm;
      node.attributes.epsilon = in.take_float("epsilon");
      finish(in, node, {.values = 1, .parameters = 4});
    } else if (type == "Relu" || type == "Sigmoid") {
      node.op = type == "Relu" ? Op::kRelu : Op::kSigmoid;
      finish(in, node, {.values = 1});
    } else if (type == "Add" || type == "Mul") {
      node.op = type == "Add" ? Op::kAdd : Op::kMultiply;
      finish(in, node, {.values = 2});
      if (node.op == Op::kMultiply) require_equal_shapes(in, node);
    } else if (type == "HardSwish" && opset() == kHardSwishOpset) {
      node.op = Op::kHardSwish;
      finish(in, node, {.values = 1});
    } else if (type == "HardSigmoid") {
      read_hard_sigmoid(in, node);
    } else if (type == "Unsqueeze") {
      return read_gated(in);
    } else if (type == "Clip") {
      node.op = Op::kRelu6;
      finish(in, node, {.values = 1, .extra = 2});
      if (tensors_.scalar(in, 1) != 0 || tensors_.scalar(in, 2) != 6)
        in.unsupported("is not ReLU6");
    } else if (type == "GlobalAveragePool") {
      return read_pool(in);
    } else if (type == "Gemm") {
      read_dense(in, node);
    } else if (type == "Dropout") {
      node.op = Op::kDropout;
      finish(in, node, {.values = 1, .extra = 1});
      node.attributes.rate = tensors_.scalar(in, 1);
    } else if (type == "Softmax") {
      node.op = Op::kSoftmax;
      in.require_int("axis", 1);
      finish(in, node, {.values = 1});
    } else {
      in.unsupported("is an operator that engraft does not write");
    }
    append(in, std::move(node));
  }

  /// A parameter of a compact file: a constant, and no node of the graph.
  void read_packed(NodeReader& in, const std::string& type) {
    if (values_.contains(in.output())) damaged(fmt::format("value {} is there twice", in.output()));
    if (type == "Cast") {
      tensors_.read_cast(in);
    } else {
      tensors_.read_dequantize(in);
    }
  }

  void read_conv(NodeReader& in, Node& node) {
    const std::optional<std::int64_t> group = in.take_optional_int("group");
    const auto kernel = in.take_ints("kernel_shape");
    const auto pads = in.take_ints("pads");
    const auto strides = in.take_ints("strides");
    const auto square = [](const auto& pair) { return pair.size() == 2 && pair[0] == pair[1]; };
    if (!square(kernel) || !square(strides) || pads.size() != 4) {
      in.unsupported("its window or its strides are not square");
    }
    const auto whole = [&](std::int64_t number) {
      if (number < 0 || number > kMaxSide) in.unsupported("its attributes are out of range");
      return static_cast<int>(number);
    };
    node.op = group ? Op::kDepthwiseConv : Op::kConv;
    node.attributes = {.kernel = whole(kernel[0]),
                       .stride = whole(strides[0]),
                       .padding = {whole(pads[0]), whole(pads[1]), whole(pads[2]), whole(pads[3])}};
    finish(in, node, {.values = 1, .parameters = in.input_count() - 1});
    const Shape& shape = graph_.shape(node.inputs[0]);
    if (group && (shape.rank() != 3 || *group != shape[2])) {
      in.unsupported(fmt::format("has {} groups for an input {}", *group, shape.to_string()));
    }
  }

  void read_dense(NodeReader& in, Node& node) {
    node.op = Op::kDense;
    const bool transposed = in.take_optional_int("transB").value_or(0) != 0;
    const std::string name = in.input(1);
    const bool known = result_.network.weights.contains(name);
    if (known && transposed != transposed_.contains(name)) {
      in.unsupported(fmt::format("takes {} the other way round than a node before it", name));
    }
    finish(in, node, {.values = 1, .parameters = in.input_count() - 1});
    if (transposed && !known) transpose(in, name);
  }

  /// A kernel that lies there as [outputs, inputs].
  void transpose(const NodeReader& in, const std::string& name) {
    Weights& weights = result_.network.weights;
    if (!weights.contains(name) || weights.at(name).shape().rank() != 2) {
      in.unsupported(fmt::format("transposes {}, which is no kernel", name));
    }
    const Tensor& kernel = weights.at(name);
    const std::int64_t outputs = kernel.shape()[0], inputs = kernel.shape()[1];
    Tensor own(Shape{inputs, outputs});
    oihw_to_hwio(kernel.values(), 0, own.values(),
                 {.area = 1,
                  .inputs = static_cast<std::size_t>(inputs),
                  .outputs = static_cast<std::size_t>(outputs)});
    weights.set(name, std::move(own));
    transposed_.insert(name);
  }

  /// ONNX would broadcast others over NCHW, which is not what the graph does.
  void require_equal_shapes(const NodeReader& in, const Node& node) const {
    const Shape& a = graph_.shape(node.inputs[0]);
    const Shape& b = graph_.shape(node.inputs[1]);
    if (a != b) in.unsupported(fmt::format("has inputs {} and {}", a.to_string(), b.to_string()));
  }

  void read_hard_sigmoid(NodeReader& in, Node& node) {
    node.op = Op::kHardSigmoid;
    if (in.take_float("alpha") != kHardSigmoidAlpha || in.take_float("beta") != kHardSigmoidBeta) {
      in.unsupported("is not min(max(x+3,0),6)/6");
    }
    finish(in, node, {.values = 1});
  }

  /// Unsqueeze of a factor a channel, and the Mul that it is for.
  void read_gated(NodeReader& unsqueeze) {
    unsqueeze.finish(2);
    tensors_.require_integers(unsqueeze, 1, std::array<std::int64_t, 2>{2, 3},
                              "adds other axes than a picture's height and width");
    if (next_ >= in_.node_size()) damaged("ends with an Unsqueeze");
    const ::onnx::NodeProto& proto = in_.node(next_++);
    NodeReader mul(proto);
    mul.finish(2);
    if (proto.op_type() != "Mul" || mul.input(1) != unsqueeze.output()) {
      mul.unsupported(fmt::format("stands where Mul by {} should", unsqueeze.output()));
    }
    Node node{
        .op = Op::kMultiply, .name = mul.name(), .inputs = {value(mul, 0), value(unsqueeze, 0)}};
    if (graph_.shape(node.inputs[0]).rank() != 3 || graph_.shape(node.inputs[1]).rank() != 1) {
      mul.unsupported("does not multiply a picture by one value a channel");
    }
    append(mul, std::move(node));
  }

  void read_pool(NodeReader& pool) {
    pool.finish(1);
    NodeReader flatten = expect("Flatten", pool.output());
    flatten.require_int("axis", 1);
    flatten.finish(1);
    append(flatten,
           {.op = Op::kGlobalAveragePool, .name = flatten.name(), .inputs = {value(pool, 0)}});
  }

  struct Inputs {
    int values = 1;
    int parameters = 0;
    int extra = 0;  ///< read by the caller
  };

  /// Takes the node's inputs over; no attribute may be left.
  void finish(NodeReader& in, Node& node, const Inputs& inputs) {
    in.finish(inputs.values + inputs.parameters + inputs.extra);
    for (int i = 0; i < inputs.values; ++i) node.inputs.push_back(value(in, i));
    for (int i = 0; i < inputs.parameters; ++i) {
      node.parameters.push_back(in.input(inputs.values + i));
      read_parameter(in, inputs.values + i, node.op);
    }
  }

  /// Some outputs at a time, so that nothing of the kernel's size lies between file and kernel.
  static void read_kernel(const StoredTensor& stored, const KernelExtents& extents, Tensor& to) {
    if (to.size() == 0) return;  // whose number of outputs may be anything
    std::vector<float> piece;
    for (std::size_t first = 0; first < extents.outputs; first += kOutputsTogether) {
      const std::size_t count = std::min(kOutputsTogether, extents.outputs - first);
      piece.resize(count * stored.row_size());
      stored.read_rows(first, piece);
      oihw_to_hwio(piece, first, to.values(), extents);
    }
  }

  void read_parameter(const NodeReader& in, int input, Op op) {
    const std::string& name = in.input(input);
    if (result_.network.weights.contains(name)) return;
    const StoredTensor stored = tensors_.stored(in, input);
    const Shape& shape = stored.shape();
    if (shape.rank() != 4) return result_.network.weights.set(name, stored.all());
    const std::int64_t outputs = shape[0], inputs = shape[1], rows = shape[2], columns = shape[3];
    if (op == Op::kDepthwiseConv && inputs != 1) in.unsupported("is grouped, not depthwise");
    Tensor kernel =
        Tensor::for_overwrite(op == Op::kDepthwiseConv ? Shape{rows, columns, outputs}
                                                       : Shape{rows, columns, inputs, outputs});
    read_kernel(stored,
                {.area = static_cast<std::size_t>(rows * columns),
                 .inputs = static_cast<std::size_t>(inputs),
                 .outputs = static_cast<std::size_t>(outputs)},
                kernel);
    result_.network.weights.set(name, std::move(kernel));
  }

  void append(const NodeReader& in, Node node) {
    std::vector<Shape> inputs, parameters;
    for (const ValueId input : node.inputs) inputs.push_back(graph_.shape(input));
    for (const std::string& name : node.parameters) {
      parameters.push_back(result_.network.weights.at(name).shape());
    }
    Shape shape = infer_shape(node, inputs, parameters);
    if (shape.elements() > kMaxActivation) {
      damaged(
          fmt::format("{} gives {}, more than any picture needs", node.name, shape.to_string()));
    }
    const ValueId output = graph_.append(std::move(node), std::move(shape));
    if (!values_.emplace(in.output(), output).second) {
      damaged(fmt::format("value {} is there twice", in.output()));
    }
  }

  void read_output() {
    const auto found = in_.output_size() == 1 ? values_.find(in_.output(0).name()) : values_.end();
    if (found == values_.end()) unsupported("has not one output that a node gives");
    graph_.set_output(found->second);
    result_.network.graph = std::move(graph_);
  }

  const ::onnx::GraphProto& in_;
  const ::onnx::ModelProto& model_;
  OnnxModel& result_;
  Graph graph_;
  TensorReader tensors_;
  std::map<std::string, ValueId> values_;  ///< by ONNX name
  std::set<std::string> transposed_;       ///< kernels of dense layers
  int next_ = 0;
};

}  // namespace

OnnxModel read_onnx(std::span<const std::byte> bytes, const std::string& name) {
  OnnxModel result;
  try {
    check_structure(bytes);
    check_sum(bytes);
    ::onnx::ModelProto model;
    if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      damaged("is not ONNX");
    }
    ModelReader(model, result).read();
  } catch (const Error& error) {
    // A name or attribute that does not fit the graph is the file's fault here, not the caller's.
    const ErrorKind kind = error.kind() == ErrorKind::kUsage ? ErrorKind::kBadInput : error.kind();
    throw Error(kind, fmt::format("{}: {}", name, one_line(error.what())));
  }
  return result;
}

}  // namespace engraft
