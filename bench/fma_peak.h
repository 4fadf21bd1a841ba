#pragma once

namespace engraft::bench {

/// The most float multiply-adds that this machine does on `threads` threads at once, in FLOP/s (a
/// multiply-add is two): the best of a few short runs of independent chains of the widest
/// instruction that the processor has.
[[nodiscard]] double measure_fma_peak(int threads);

/// That instruction: "AVX-512", "AVX2", "scalar".
[[nodiscard]] const char* fma_instruction();

}  // namespace engraft::bench
