// Any bytes: a network whose weights fit it, or one Error; and what is read can be written and read
// again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "engraft/base/error.h"
#include "engraft/formats/onnx.h"

namespace {

void check(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  engraft::OnnxModel model;
  try {
    model = engraft::read_onnx(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const engraft::Error& error) {
    check(error.kind() == engraft::ErrorKind::kBadInput ||
          error.kind() == engraft::ErrorKind::kUnsupported);
    check(std::string_view(error.what()).find('\n') == std::string_view::npos);
    return 0;
  }
  engraft::check_weights(model.network.graph, model.network.weights);
  engraft::Bytes bytes;
  try {
    bytes = engraft::write_onnx(model);
  } catch (const engraft::Error& error) {  // names that engraft itself would not have chosen
    check(error.kind() == engraft::ErrorKind::kUsage);
    return 0;
  }
  const engraft::OnnxModel again = engraft::read_onnx(bytes, "again");
  check(again.network.graph == model.network.graph && again.metadata == model.metadata);
  try {
    bytes = engraft::write_onnx(model, engraft::WeightStorage::kCompact);
  } catch (const engraft::Error& error) {  // names as a compact file gives them
    check(error.kind() == engraft::ErrorKind::kUsage);
    return 0;
  }
  check(engraft::read_onnx(bytes, "compact").network.graph == model.network.graph);
  return 0;
}
