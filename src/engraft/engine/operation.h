#pragma once

#include <cstddef>
#include <memory>

#include "engraft/engine/lowering.h"
#include "engraft/graph/weights.h"

namespace engraft {

/// Where a step finds its values in one workspace.
struct Operands {
  float* input = nullptr;
  float* addend = nullptr;  ///< kAdd, kMultiply only: a fused addend stands in output
  float* output = nullptr;
  std::byte* scratch = nullptr;
  std::byte* shared = nullptr;  ///< shared_bytes(), for the parts of a step together
};

/// A step with its addresses filled in. One thread at a time, but for run_part().
class BoundOperation {
 public:
  virtual ~BoundOperation() = default;
  virtual void run() = 0;
  /// How many parts to cut it into for so many threads; 1 where it cannot be cut.
  [[nodiscard]] virtual int parts(int /*threads*/) const { return 1; }
  /// Part `part` of parts(threads). All of them, in any order and at the same time, each by one
  /// thread with scratch memory of its own, write the bits that run() writes.
  virtual void run_part(int /*part*/, int /*parts*/, std::byte* /*scratch*/) { run(); }
};

/// A step compiled for a batch size and a number of threads. Immutable once its parameters are
/// packed.
class Operation {
 public:
  virtual ~Operation() = default;
  [[nodiscard]] virtual std::size_t scratch_bytes() const = 0;
  /// Beside that, where parts run at the same time, for all of them together.
  [[nodiscard]] virtual std::size_t shared_bytes() const { return 0; }
  /// What its parameters take in the layout that it works on.
  [[nodiscard]] virtual std::size_t parameter_bytes() const = 0;
  /// Writes the parameters to memory, which must live as long as the operation; 64-byte aligned.
  virtual void pack_parameters(const Weights& weights, std::byte* memory) = 0;
  [[nodiscard]] virtual std::unique_ptr<BoundOperation> bind(const Operands& operands) const = 0;
};

/// What make_operation compiles.
struct OperationSpec {
  const Step& step;
  const Shape& input;             ///< of one picture
  const Shape& output;            ///< of one picture
  const Shape* second = nullptr;  ///< kMultiply: of one picture's second operand
  int batch = 1;
};

/// A step as a kernel of our own where there is one, else as a oneDNN primitive for the current
/// number of OpenMP threads (OpenMpThreads). Throws Error(kUnsupported) naming the step where there
/// is neither.
[[nodiscard]] std::unique_ptr<Operation> make_operation(const OperationSpec& spec);

/// The same, always as a oneDNN primitive.
[[nodiscard]] std::unique_ptr<Operation> make_onednn_operation(const OperationSpec& spec);

}  // namespace engraft
