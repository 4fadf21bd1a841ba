#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "engraft/base/rng.h"
#include "engraft/formats/onnx.h"
#include "onnx_messages.h"
#include "support/errors.h"

namespace engraft::test {

/// Something done to a model, and how it is refused.
struct OnnxChange {
  const char* name;
  ErrorKind kind;
  const char* message;
  std::function<void(::onnx::ModelProto&)> change;
};

inline std::string name_of_change(const testing::TestParamInfo<OnnxChange>& info) {
  return info.param.name;
}

inline void expect_refused(const Bytes& whole, const OnnxChange& change) {
  ::onnx::ModelProto model = parse(whole);
  change.change(model);
  const Bytes changed = serialise(model);
  expect_error(change.kind,
               testing::AllOf(testing::HasSubstr("m.onnx"), testing::HasSubstr(change.message)),
               [&] { (void)read_onnx(changed, "m.onnx"); });
}

/// Flips up to four bits, fifty times, in a file without a checksum: what is not refused is whole.
inline void expect_flipped_is_read_or_refused(const Bytes& written, std::uint64_t seed) {
  const Bytes whole = serialise(parse(written));
  Rng rng(3, seed);
  for (int round = 0; round < 50; ++round) {
    Bytes flipped = whole;
    const int flips = 1 + static_cast<int>(rng.below(4));
    for (int i = 0; i < flips; ++i) {
      flipped[rng.below(static_cast<std::uint32_t>(whole.size()))] ^=
          static_cast<std::byte>(1u << rng.below(8));
    }
    try {
      const OnnxModel model = read_onnx(flipped, "m.onnx");
      check_weights(model.network.graph, model.network.weights);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("m.onnx"));
      EXPECT_TRUE(error.kind() == ErrorKind::kBadInput || error.kind() == ErrorKind::kUnsupported)
          << error.what();
    }
  }
}

}  // namespace engraft::test
