#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace engraft {

/// A fixed set of worker threads. Work is handed out dynamically, one index at a time, so that a
/// busy neighbour on one core does not hold up the rest.
class ThreadPool {
 public:
  /// threads ≥ 1; the calling thread is one of them. 0 means one per core that this process may
  /// use. Throws Error(kUsage) when the system does not give that many.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] int threads() const;

  /// Calls body(index, worker) once for each index in [0, count); worker in [0, threads()). Returns
  /// when all are done. The first exception stops the hand-out and is rethrown here. Not reentrant:
  /// body must not call it.
  void for_each(std::size_t count, const std::function<void(std::size_t index, int worker)>& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Cores that this process may run on (affinity respected); at least 1.
[[nodiscard]] int available_cores();

}  // namespace engraft
