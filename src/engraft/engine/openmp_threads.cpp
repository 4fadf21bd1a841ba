#include "engraft/engine/openmp_threads.h"

// Declared here rather than by <omp.h>, which belongs to a compiler: clang's is a package of its
// own and describes LLVM's runtime, while the runtime that counts is the one that oneDNN is linked
// with, GCC's libgomp, whatever compiles this file. The two functions are the same in both (OpenMP
// 5.0, 3.2.1 and 3.2.3).
extern "C" {
void omp_set_num_threads(int threads);
int omp_get_max_threads(void);
}

namespace engraft {

OpenMpThreads::OpenMpThreads(int threads) : before_(omp_get_max_threads()) {
  if (threads != before_) omp_set_num_threads(threads);
}

OpenMpThreads::~OpenMpThreads() {
  if (omp_get_max_threads() != before_) omp_set_num_threads(before_);
}

}  // namespace engraft
