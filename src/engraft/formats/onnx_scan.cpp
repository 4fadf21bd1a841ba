#include "engraft/formats/onnx_scan.h"

#include <cstdint>
#include <limits>

#include "engraft/formats/onnx_node.h"

namespace engraft::onnx_format {
namespace {

constexpr std::size_t kMaxStructure = 4 << 20;

// Field numbers of onnx.proto.
constexpr std::uint64_t kModelGraph = 7;
constexpr std::uint64_t kGraphInitializer = 5;
constexpr std::uint64_t kTensorRawData = 9;

struct Field {
  std::uint64_t number = 0;
  std::span<const std::byte> content;  ///< of a length-delimited field, else empty
};

/// The fields of one message, in order.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> message) : rest_(message) {}

  [[nodiscard]] bool next(Field& field) {
    if (rest_.empty()) return false;
    const std::uint64_t tag = varint();
    field = {.number = tag >> 3, .content = {}};
    switch (tag & 7) {
      case 0:
        static_cast<void>(varint());
        break;
      case 1:
        take(8);
        break;
      case 2:
        field.content = take(varint());
        break;
      case 5:
        take(4);
        break;
      default:
        damaged("is not ONNX");
    }
    return true;
  }

  /// Bytes of fields to come.
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(take(1)[0]);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    damaged("is not ONNX");
  }

  std::span<const std::byte> take(std::uint64_t count) {
    if (count > rest_.size()) damaged("is cut short, or not ONNX");
    const auto taken = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

  std::span<const std::byte> rest_;
};

std::size_t raw_bytes_of_tensor(std::span<const std::byte> tensor) {
  std::size_t raw = 0;
  Field field;
  // A field that occurs twice is parsed into the place of the first: its bytes count as structure.
  for (Fields fields(tensor); fields.next(field);) {
    if (field.number == kTensorRawData && raw == 0) raw = field.content.size();
  }
  return raw;
}

std::size_t raw_bytes_of_graph(std::span<const std::byte> graph) {
  std::size_t raw = 0;
  Field field;
  for (Fields fields(graph); fields.next(field);) {
    if (field.number == kGraphInitializer) raw += raw_bytes_of_tensor(field.content);
  }
  return raw;
}

}  // namespace

void check_structure(std::span<const std::byte> bytes) {
  if (bytes.empty()) damaged("is empty");
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    damaged("is larger than 2 GiB, which ONNX cannot be");
  }
  std::size_t raw = 0;
  Field field;
  for (Fields fields(bytes); fields.next(field);) {
    if (field.number == kModelGraph) raw += raw_bytes_of_graph(field.content);
  }
  if (bytes.size() - raw > kMaxStructure) {
    damaged("describes more nodes and metadata than a model of engraft's can have");
  }
}

std::span<const std::byte> last_field_if_graph(std::span<const std::byte> bytes) {
  std::size_t begin = 0;
  Field field;
  Fields fields(bytes);
  for (std::size_t at = 0; fields.next(field); at = bytes.size() - fields.left()) begin = at;
  return field.number == kModelGraph ? bytes.subspan(begin) : std::span<const std::byte>();
}

}  // namespace engraft::onnx_format
