#pragma once

#include <functional>
#include <memory>
#include <span>

namespace engraft {

/// Threads that do a job of many short phases together: a single picture, layer by layer. The parts
/// of a phase are handed out one by one, so that a thread that is held up by a busy neighbour takes
/// fewer; the next phase begins when the last part is done. A thread without work spins for a short
/// while, as a phase may be over in microseconds, and then sleeps. Where the caller has had to wait
/// for a thread that was held up in the middle of a part, it does the next jobs alone for a while:
/// two threads on a busy machine are then no slower than one.
class Team {
 public:
  using Body = std::function<void(int phase, int part, int member)>;

  static constexpr int kMostParts = 1000;
  static constexpr int kMostPhases = 4000;

  /// threads ≥ 1; the calling thread is one of them. 0 means one per core that this process may
  /// use. Throws Error(kUsage) when the system does not give that many.
  explicit Team(int threads = 0);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  [[nodiscard]] int threads() const;

  /// Whether the caller would do a job that it gave now by itself: it may then have a way to do it
  /// that is not cut into parts.
  [[nodiscard]] bool caller_is_alone() const;

  /// Calls body(phase, part, member) once for each part in [0, parts[phase]) of phase 0, then of
  /// phase 1, and so on; member in [0, threads()), 0 being the caller. Every part is done, and what
  /// it wrote is seen, before the next phase begins. The first exception is rethrown when all is
  /// over. parts: 1 to kMostParts each, at most kMostPhases of them. Not reentrant; one caller at a
  /// time.
  void run(std::span<const int> parts, const Body& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engraft
