#pragma once

#include <memory>
#include <span>

#include "engraft/base/team.h"
#include "engraft/graph/activation_ranges.h"
#include "engraft/graph/graph.h"
#include "engraft/graph/weights.h"

namespace engraft {

struct PlanOptions {
  int batch = 1;  ///< pictures per forward()
  /// The most threads of a Team that forward() is given: a single picture is done by all of them
  /// together. Many pictures are better spread over a ThreadPool (BatchRunner).
  int threads = 1;
  /// From calibrate(): blocks, 1×1 convolutions and big dense layers multiply 8-bit integers. Null:
  /// floats everywhere. Read by compile() only.
  const ActivationRanges* ranges = nullptr;
};

/// A graph compiled for one batch size: kernels chosen, weights packed, memory laid out.
/// Immutable; forward() may run on many threads at once, each with a Workspace of its own. On
/// processors with AVX or more, a picture's output has the same bits for any batch size, place in
/// the batch and number of threads; another kind of processor may round otherwise.
class Plan {
 public:
  /// Scratch memory of one forward() at a time. Made once per worker and reused: no allocation per
  /// picture.
  class Workspace {
   public:
    Workspace();
    ~Workspace();
    Workspace(Workspace&&) noexcept;
    Workspace& operator=(Workspace&&) noexcept;

   private:
    friend class Plan;
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };

  /// Folds batch norm first. Throws Error(kBadInput) if weights are missing or misshapen,
  /// Error(kUsage) for options out of range or a workspace of more than 32 GB.
  static Plan compile(const Graph& graph, const Weights& weights, const PlanOptions& options = {});
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  [[nodiscard]] int batch() const;
  /// Values per picture, [H,W,3] flattened, and of the output.
  [[nodiscard]] std::size_t input_size() const;
  [[nodiscard]] std::size_t output_size() const;
  /// Bytes of one Workspace.
  [[nodiscard]] std::size_t workspace_bytes() const;

  /// The plan must outlive it. One thread at a time.
  [[nodiscard]] Workspace make_workspace() const;
  /// The workspace's input, batch() · input_size() values, 64-byte aligned: fill it, then run. It
  /// keeps its values. Throws Error(kUsage) for a workspace of another plan, as forward() does.
  [[nodiscard]] std::span<float> input(Workspace& workspace) const;
  /// Runs on the input; the result, batch() · output_size() values, is valid until the next
  /// forward() on the workspace.
  [[nodiscard]] std::span<const float> forward(Workspace& workspace) const;
  /// The same, to the same bits, by a team. Throws Error(kUsage) for one of more threads than
  /// PlanOptions said.
  [[nodiscard]] std::span<const float> forward(Workspace& workspace, Team& team) const;

 private:
  struct Impl;
  explicit Plan(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace engraft
