#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>

#include "engraft/engine/batch_runner.h"
#include "engraft/train/boundary_cache.h"

namespace engraft {

/// The frozen part of a network, whose results are remembered.
class BoundaryRunner {
 public:
  /// Errors are those of BatchRunner. cache may be null; it and the pool must outlive this.
  BoundaryRunner(const Graph& frozen, const Weights& weights, ThreadPool& pool,
                 BoundaryCache* cache);

  /// Values that a picture has at the boundary.
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Pictures of which the results are wanted.
  struct Request {
    /// Of each picture, under what its result is remembered; nothing: not at all.
    std::span<const std::optional<BoundaryCache::Key>> keys;
    /// Makes the input of picture i; called, from the worker threads, for those that are not
    /// remembered.
    std::function<void(std::size_t i, std::span<float> input)> fill;
  };
  /// results: size() values for each picture, one behind the other, written.
  void run(const Request& request, std::span<float> results);

 private:
  std::size_t size_;
  BatchRunner runner_;
  BoundaryCache* cache_;
};

}  // namespace engraft
