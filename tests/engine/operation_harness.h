#pragma once

#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "engraft/engine/memory_layout.h"
#include "engraft/engine/openmp_threads.h"
#include "engraft/engine/operation.h"
#include "gtest/gtest.h"

namespace engraft::test {

/// Aligned memory full of NaN, with more of it on both sides that must stay as it is.
class PoisonedBuffer {
 public:
  explicit PoisonedBuffer(std::size_t values)
      : size_(values),
        memory_(static_cast<float*>(::operator new ((values + 2 * kGuard) * sizeof(float),
                                                    std::align_val_t{kBufferAlignment}))) {
    for (std::size_t i = 0; i < values + 2 * kGuard; ++i) {
      memory_.get()[i] = std::numeric_limits<float>::quiet_NaN();
    }
    untouched_.assign(memory_.get(), memory_.get() + kGuard);
  }

  [[nodiscard]] float* data() const { return memory_.get() + kGuard; }
  [[nodiscard]] std::span<float> values() const { return {data(), size_}; }
  void fill(std::span<const float> values) const {
    ASSERT_EQ(values.size(), size_);
    std::copy(values.begin(), values.end(), data());
  }
  [[nodiscard]] bool guards_intact() const {
    const std::size_t bytes = kGuard * sizeof(float);
    return std::memcmp(memory_.get(), untouched_.data(), bytes) == 0 &&
           std::memcmp(data() + size_, untouched_.data(), bytes) == 0;
  }

 private:
  static constexpr std::size_t kGuard = 64;  // keeps data() aligned
  struct Free {
    void operator()(float* memory) const {
      ::operator delete (memory, std::align_val_t{kBufferAlignment});
    }
  };
  std::size_t size_;
  std::unique_ptr<float, Free> memory_;
  std::vector<float> untouched_;
};

/// A step to run by itself, on a batch.
struct SingleStep {
  Step step;
  Shape input, output;  ///< of one picture
  Shape second{};       ///< kMultiply: of one picture's second operand
  int batch = 1;
  int threads = 1;
};

/// Runs it with every buffer poisoned first, and checks that nothing beside the buffers is written.
inline std::vector<float> run_step(const SingleStep& single, const Weights& weights,
                                   std::span<const float> input,
                                   std::span<const float> addend = {}) {
  const OpenMpThreads threads(single.threads);
  const auto operation =
      make_operation({.step = single.step,
                      .input = single.input,
                      .output = single.output,
                      .second = single.second.rank() > 0 ? &single.second : nullptr,
                      .batch = single.batch});
  const auto floats = [](std::size_t bytes) { return (bytes + sizeof(float) - 1) / sizeof(float); };
  const PoisonedBuffer parameters(floats(operation->parameter_bytes()));
  const PoisonedBuffer scratch(floats(operation->scratch_bytes()));
  const PoisonedBuffer x(input.size()), a(addend.size());
  const PoisonedBuffer y(static_cast<std::size_t>(single.output.elements() * single.batch));
  x.fill(input);
  a.fill(addend);
  if (single.step.in_place()) y.fill(addend);
  operation->pack_parameters(weights, reinterpret_cast<std::byte*>(parameters.data()));
  operation
      ->bind({.input = x.data(),
              .addend = single.step.has_two_operands() ? a.data() : nullptr,
              .output = y.data(),
              .scratch = reinterpret_cast<std::byte*>(scratch.data())})
      ->run();
  for (const PoisonedBuffer* buffer : {&parameters, &scratch, &x, &a, &y}) {
    EXPECT_TRUE(buffer->guards_intact());
  }
  EXPECT_TRUE(std::equal(input.begin(), input.end(), x.data())) << "the input was written to";
  return {y.values().begin(), y.values().end()};
}

}  // namespace engraft::test
