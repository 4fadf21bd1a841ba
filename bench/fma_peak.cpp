#include "fma_peak.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <latch>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace engraft::bench {
namespace {

/// Chains in flight: an FMA takes four or five cycles and two start each cycle.
constexpr int kChains = 12;
constexpr long kRounds = 500'000;

struct Kernel {
  const char* name;
  double (*run)(long rounds);  ///< returns something that depends on every chain
  int lanes;
};

double run_scalar(long rounds) {
  std::array<float, kChains> sums{};
  for (long i = 0; i < rounds; ++i) {
    for (float& sum : sums) sum = std::fma(sum, 0.999f, 0.001f);
  }
  double total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) double run_avx2(long rounds) {
  __m256 sums[kChains];
  for (__m256& sum : sums) sum = _mm256_setzero_ps();
  const __m256 factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(0.001f);
  for (long i = 0; i < rounds; ++i) {
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, factor, term);
  }
  double total = 0;
  for (const __m256& sum : sums) total += static_cast<double>(_mm256_cvtss_f32(sum));
  return total;
}

__attribute__((target("avx512f"))) double run_avx512(long rounds) {
  __m512 sums[kChains];
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  const __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(0.001f);
  for (long i = 0; i < rounds; ++i) {
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, factor, term);
  }
  double total = 0;
  for (const __m512& sum : sums) total += static_cast<double>(_mm512_cvtss_f32(sum));
  return total;
}
#endif

Kernel widest() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {"AVX-512", run_avx512, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {"AVX2", run_avx2, 8};
  }
#endif
  return {"scalar", run_scalar, 1};
}

/// Seconds from the first thread's start to the last one's end, kRounds on each.
double time_once(const Kernel& kernel, int threads) {
  using Clock = std::chrono::steady_clock;
  struct Run {
    Clock::time_point start, end;
    double result = 0;
  };
  std::latch ready(threads);
  std::vector<Run> runs(static_cast<std::size_t>(threads));
  std::vector<std::thread> workers;
  workers.reserve(runs.size());
  for (Run& run : runs) {
    workers.emplace_back([&] {
      ready.arrive_and_wait();
      run.start = Clock::now();
      run.result = kernel.run(kRounds);
      run.end = Clock::now();
    });
  }
  for (auto& worker : workers) worker.join();
  const auto start = std::min_element(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
                       return a.start < b.start;
                     })->start;
  const auto end = std::max_element(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
                     return a.end < b.end;
                   })->end;
  return std::chrono::duration<double>(end - start).count();
}

}  // namespace

double measure_fma_peak(int threads) {
  const Kernel kernel = widest();
  double best = time_once(kernel, threads);
  for (int i = 0; i < 15; ++i) best = std::min(best, time_once(kernel, threads));
  return 2.0 * kernel.lanes * kChains * static_cast<double>(kRounds) * threads / best;
}

const char* fma_instruction() {
  return widest().name;
}

}  // namespace engraft::bench
