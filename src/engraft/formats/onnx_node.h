#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace onnx {
class AttributeProto;
class NodeProto;
}  // namespace onnx

namespace engraft::onnx_format {

/// Error(kBadInput): "<what>; the file is damaged: …".
[[noreturn]] void damaged(const std::string& what);
/// Error(kUnsupported): "<what>; engraft reads the ONNX files that it wrote itself".
[[noreturn]] void unsupported(const std::string& what);

/// One node of an ONNX file: attributes are taken one by one, and what is left over is refused.
class NodeReader {
 public:
  explicit NodeReader(const ::onnx::NodeProto& node);

  [[nodiscard]] const std::string& name() const;
  [[nodiscard]] int input_count() const;
  /// Empty past the last.
  [[nodiscard]] const std::string& input(int i) const;
  [[nodiscard]] const std::string& output() const;

  [[nodiscard]] std::optional<std::int64_t> take_optional_int(const char* name);
  [[nodiscard]] float take_float(const char* name);
  [[nodiscard]] std::vector<std::int64_t> take_ints(const char* name);
  void require_int(const char* name, std::int64_t value);
  /// The node must have that many inputs, one output and no further attribute.
  void finish(int inputs) const;

  /// unsupported(), naming the node.
  [[noreturn]] void unsupported(const std::string& what) const;

 private:
  [[nodiscard]] const ::onnx::AttributeProto* take(const char* name);

  const ::onnx::NodeProto& node_;
  std::map<std::string, const ::onnx::AttributeProto*> attributes_;
};

}  // namespace engraft::onnx_format
