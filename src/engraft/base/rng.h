#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace engraft {

/// One block of Philox4x32-10: four words that are a pure function of counter and key.
[[nodiscard]] std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                      std::array<std::uint32_t, 2> key);

/// Counter-based random numbers: Philox4x32-10. The stream is a pure function of (seed, stream,
/// item), so results do not depend on who draws first: Rng(seed, epoch, picture) is the same on any
/// thread, in any order. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
class Rng {
 public:
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0, std::uint64_t item = 0);

  [[nodiscard]] std::uint32_t next_u32();
  [[nodiscard]] std::uint64_t next_u64();
  /// Uniform in [0, 1), 24 bits.
  [[nodiscard]] float uniform();
  /// Uniform in [low, high); low < high.
  [[nodiscard]] float uniform(float low, float high);
  /// Uniform integer in [0, bound), without modulo bias. bound > 0.
  [[nodiscard]] std::uint32_t below(std::uint32_t bound);
  /// Standard normal (Box-Muller, one value a call).
  [[nodiscard]] float normal();

  /// Fisher-Yates.
  template <typename T>
  void shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[below(static_cast<std::uint32_t>(i))]);
    }
  }

 private:
  void refill();

  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace engraft
