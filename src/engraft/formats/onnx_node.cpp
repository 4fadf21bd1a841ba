#include "engraft/formats/onnx_node.h"

#include <fmt/format.h>
#include <onnx.pb.h>

#include "engraft/base/error.h"

namespace engraft::onnx_format {

void damaged(const std::string& what) {
  throw Error(ErrorKind::kBadInput,
              what + "; the file is damaged or cut short: make or copy it again");
}

void unsupported(const std::string& what) {
  throw Error(ErrorKind::kUnsupported,
              what + "; of ONNX files engraft reads those that it wrote itself");
}

NodeReader::NodeReader(const ::onnx::NodeProto& node) : node_(node) {
  if (!node.domain().empty()) unsupported("is not one of ONNX' own operators");
  for (const ::onnx::AttributeProto& attribute : node.attribute()) {
    if (!attributes_.emplace(attribute.name(), &attribute).second) {
      unsupported(fmt::format("has two attributes named {}", attribute.name()));
    }
  }
}

const std::string& NodeReader::name() const {
  return node_.name();
}

int NodeReader::input_count() const {
  return node_.input_size();
}

const std::string& NodeReader::input(int i) const {
  static const std::string kNone;
  return i < node_.input_size() ? node_.input(i) : kNone;
}

const std::string& NodeReader::output() const {
  if (node_.output_size() != 1) unsupported("has not one output");
  return node_.output(0);
}

const ::onnx::AttributeProto* NodeReader::take(const char* name) {
  const auto found = attributes_.find(name);
  if (found == attributes_.end()) return nullptr;
  const ::onnx::AttributeProto* attribute = found->second;
  attributes_.erase(found);
  return attribute;
}

std::optional<std::int64_t> NodeReader::take_optional_int(const char* name) {
  const ::onnx::AttributeProto* attribute = take(name);
  if (!attribute) return std::nullopt;
  if (!attribute->has_i()) unsupported(fmt::format("attribute {} is not a whole number", name));
  return attribute->i();
}

float NodeReader::take_float(const char* name) {
  const ::onnx::AttributeProto* attribute = take(name);
  if (!attribute || !attribute->has_f()) unsupported(fmt::format("has no number {}", name));
  return attribute->f();
}

std::vector<std::int64_t> NodeReader::take_ints(const char* name) {
  const ::onnx::AttributeProto* attribute = take(name);
  if (!attribute) unsupported(fmt::format("has no attribute {}", name));
  return {attribute->ints().begin(), attribute->ints().end()};
}

void NodeReader::require_int(const char* name, std::int64_t value) {
  if (take_optional_int(name) != value) unsupported(fmt::format("{} is not {}", name, value));
}

void NodeReader::finish(int inputs) const {
  if (node_.input_size() != inputs) {
    unsupported(fmt::format("has {} inputs instead of {}", node_.input_size(), inputs));
  }
  if (!attributes_.empty()) {
    unsupported(fmt::format("has an attribute {}", attributes_.begin()->first));
  }
  static_cast<void>(output());
}

void NodeReader::unsupported(const std::string& what) const {
  onnx_format::unsupported(fmt::format("node {} ({}) {}",
                                       node_.name().empty() ? "without a name" : node_.name(),
                                       node_.op_type(), what));
}

}  // namespace engraft::onnx_format
