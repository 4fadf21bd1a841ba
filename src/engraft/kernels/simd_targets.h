#pragma once

// Which instruction sets the kernels are compiled for; to be included before any header of Highway.
// Left out are vectors whose length the compiler does not know, as they cannot stand in the arrays
// that the register tiles are (NEON takes their place), and SSSE3, which SSE4 processors have, too.
#define ENGRAFT_NO_VECTORS_OF_UNKNOWN_LENGTH \
  (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#ifdef ENGRAFT_FEW_TARGETS  // one with vectors and the scalar: each takes a compiler minutes with
                            // sanitizers, and clang's stand-in for the scalar, vectors in loops,
                            // up to five times as long
#define HWY_BROKEN_EMU128 1
#define HWY_DISABLED_TARGETS \
  (ENGRAFT_NO_VECTORS_OF_UNKNOWN_LENGTH | HWY_AVX3_DL | HWY_AVX3 | HWY_SSE4)
#else
#define HWY_DISABLED_TARGETS ENGRAFT_NO_VECTORS_OF_UNKNOWN_LENGTH
#endif
