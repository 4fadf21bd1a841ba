#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engraft/base/rng.h"

namespace engraft::bench {

/// Floats at a cache line's begin, as the engine's are.
class Array {
 public:
  explicit Array(std::int64_t size) : memory_(static_cast<std::size_t>(size) + kLine) {
    Rng rng(1);
    for (float& value : memory_) value = rng.normal();
    void* begin = memory_.data();
    std::size_t space = memory_.size() * sizeof(float);
    data_ = static_cast<float*>(
        std::align(kLine * sizeof(float), static_cast<std::size_t>(size), begin, space));
  }
  [[nodiscard]] float* data() { return data_; }

 private:
  static constexpr std::size_t kLine = 16;  // floats
  std::vector<float> memory_;
  float* data_;
};

/// So much of something an iteration, reported a second.
inline void report(benchmark::State& state, const char* name, std::int64_t amount) {
  state.counters[name] =
      benchmark::Counter(static_cast<double>(amount), benchmark::Counter::kIsIterationInvariantRate,
                         benchmark::Counter::kIs1000);
}

}  // namespace engraft::bench
