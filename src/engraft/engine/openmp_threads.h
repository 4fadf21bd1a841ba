#pragma once

namespace engraft {

/// While it lives, primitives that the calling thread makes or runs use this many threads.
///
/// Debian's oneDNN divides its work with OpenMP: how many threads it takes is OpenMP's setting of
/// the calling thread, both when a primitive is made (it picks its blocking by it) and when it
/// runs, so both must happen under the same number. The setting is each thread's own; without this,
/// every worker of a pool would start a team of as many threads as there are cores.
class OpenMpThreads {
 public:
  explicit OpenMpThreads(int threads);
  ~OpenMpThreads();
  OpenMpThreads(const OpenMpThreads&) = delete;
  OpenMpThreads& operator=(const OpenMpThreads&) = delete;

 private:
  int before_;
};

}  // namespace engraft
