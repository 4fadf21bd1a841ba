#pragma once

// What the tests of the vectorised kernels share: every instruction set that this processor has,
// arrays with unreadable memory beside them, and a comparison as tight as float sums allow.

#include "engraft/kernels/simd_targets.h"
//
#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "engraft/base/rng.h"
#include "engraft/kernels/gate.h"

namespace engraft::test {

constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();
constexpr std::int64_t kMostLanes = 16;  ///< of the widest vectors, AVX-512's

/// At which end of an array the memory that must not be touched begins.
enum class Guarded { kBefore, kBehind };

/// Floats right beside a page that can neither be read nor written; poisoned at first.
class GuardedArray {
 public:
  GuardedArray(std::size_t size, Guarded side) : size_(size) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t inside = (size * sizeof(float) + page - 1) / page * page;
    inside_ = inside;
    std::vector<char*>& spare = spare_mappings()[inside];
    if (spare.empty()) spare.push_back(map(inside, page));
    base_ = spare.back();
    spare.pop_back();
    const std::size_t offset = side == Guarded::kBefore ? 0 : inside - size * sizeof(float);
    data_ = reinterpret_cast<float*>(base_ + page + offset);
    std::fill(data_, data_ + size, kPoison);
  }
  GuardedArray(std::span<const float> values, Guarded side) : GuardedArray(values.size(), side) {
    std::copy(values.begin(), values.end(), data_);
  }
  GuardedArray(const GuardedArray&) = delete;
  GuardedArray& operator=(const GuardedArray&) = delete;
  ~GuardedArray() { spare_mappings()[inside_].push_back(base_); }

  [[nodiscard]] float* data() { return data_; }
  [[nodiscard]] std::span<float> span() { return {data_, size_}; }
  [[nodiscard]] std::span<const float> values() const { return {data_, size_}; }

 private:
  /// By their size: to map memory takes longer than most tests of a small case.
  static std::map<std::size_t, std::vector<char*>>& spare_mappings() {
    static std::map<std::size_t, std::vector<char*>> spare;
    return spare;
  }
  static char* map(std::size_t inside, std::size_t page) {
    void* memory =
        ::mmap(nullptr, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    char* base = static_cast<char*>(memory);
    if (inside > 0 && ::mprotect(base + page, inside, PROT_READ | PROT_WRITE) != 0) {
      throw std::runtime_error("mprotect");
    }
    return base;
  }

  std::size_t size_, inside_ = 0;
  char* base_ = nullptr;
  float* data_ = nullptr;
};

/// Runs a test for one instruction set, with arrays guarded at one side.
class SimdTest : public ::testing::TestWithParam<std::tuple<std::int64_t, Guarded>> {
 protected:
  void SetUp() override { use(std::get<0>(GetParam())); }
  void TearDown() override { use(0); }

  [[nodiscard]] static Guarded side() { return std::get<1>(GetParam()); }
  [[nodiscard]] static GuardedArray poisoned(std::size_t size) { return {size, side()}; }
  [[nodiscard]] static GuardedArray guarded(std::span<const float> values) {
    return {values, side()};
  }

 private:
  static void use(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

inline std::string simd_test_name(
    const ::testing::TestParamInfo<std::tuple<std::int64_t, Guarded>>& info) {
  return std::string(hwy::TargetName(std::get<0>(info.param))) +
         (std::get<1>(info.param) == Guarded::kBefore ? "_guarded_before" : "_guarded_behind");
}

/// Sums in double, with the sums of their terms' sizes, which say how exact a float sum can be.
class Sums {
 public:
  explicit Sums(std::size_t size) : value_(size), size_of_terms_(size) {}
  explicit Sums(std::span<const float> start) : Sums(start.size()) {
    for (std::size_t i = 0; i < start.size(); ++i) add(i, start[i]);
  }

  void add(std::size_t i, double term) {
    value_[i] += term;
    size_of_terms_[i] += std::abs(term);
  }
  void clear(std::size_t i) { value_[i] = size_of_terms_[i] = 0; }

  /// Whether each value is within 2·10⁻⁶ of the sum of its terms' sizes.
  template <typename T>
  [[nodiscard]] ::testing::AssertionResult matches(std::span<const T> values) const {
    if (values.size() != value_.size()) return ::testing::AssertionFailure() << "size";
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double error = std::abs(static_cast<double>(values[i]) - value_[i]);
      if (!(error <= 2e-6 * size_of_terms_[i])) {
        return ::testing::AssertionFailure()
               << "[" << i << "] is " << values[i] << ", expected " << value_[i];
      }
    }
    return ::testing::AssertionSuccess();
  }

  /// Whether matches() notices that any of the values, unless 0, is 0.1 % off.
  [[nodiscard]] ::testing::AssertionResult notices_a_thousandth(
      std::span<const float> values) const {
    std::vector<float> changed(values.begin(), values.end());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] == 0) continue;
      changed[i] = values[i] * 1.001F;
      if (matches<float>(changed)) {
        return ::testing::AssertionFailure() << "[" << i << "] may be 0.1 % off";
      }
      changed[i] = values[i];
    }
    return ::testing::AssertionSuccess();
  }

 private:
  std::vector<double> value_, size_of_terms_;
};

[[nodiscard]] inline bool is_open(Gate gate, double y) {
  if (gate == Gate::kOpen) return true;
  return y > 0 && (gate == Gate::kRelu || y < 6);
}

/// What a relu6 leaves: a third zeros, a third sixes, the rest between, all as the case may be.
[[nodiscard]] inline std::vector<float> activations(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = std::clamp(rng.uniform(-6, 12), 0.0F, 6.0F);
  }
  return values;
}

#define ENGRAFT_INSTANTIATE_SIMD_TESTS(suite)                                      \
  INSTANTIATE_TEST_SUITE_P(                                                        \
      EveryTarget, suite,                                                          \
      ::testing::Combine(::testing::ValuesIn(hwy::SupportedAndGeneratedTargets()), \
                         ::testing::Values(Guarded::kBefore, Guarded::kBehind)),   \
      simd_test_name)

}  // namespace engraft::test
