#include "engraft/engine/block_operation.h"

#include <algorithm>
#include <atomic>

#include "engraft/engine/memory_layout.h"
#include "engraft/kernels/elementwise.h"

namespace engraft {
namespace {

/// Floats of x and y that pass together through a panel of the block: they stay in the second
/// cache, and the panel's weights in the first serve them all.
constexpr std::size_t kValuesTogether = std::size_t{1} << 16;

/// Pictures up to this many pixels of y are cut along the channels between x and y: cut along their
/// rows, too much of e would be computed twice.
constexpr int kPixelsCutByChannels = 100;
/// Into how many parts: whoever computes them, their sum has the same bits.
constexpr int kShares = 4;

std::size_t aligned_floats(std::size_t floats) {
  return aligned(floats * sizeof(float));
}

class BlockOperation final : public Operation {
 public:
  explicit BlockOperation(const OperationSpec& spec)
      : step_(spec.step),
        pictures_(static_cast<std::size_t>(spec.batch)),
        x_size_(static_cast<std::size_t>(spec.input.elements())),
        y_size_(static_cast<std::size_t>(spec.output.elements())),
        together_(std::clamp<std::size_t>(kValuesTogether / (x_size_ + y_size_), 1, pictures_)) {
    if (block().out_height * block().out_width > kPixelsCutByChannels) return;
    if (block().expanded % kChannelStep == 0) {
      shares_ = std::min(kShares, block().expanded / kChannelStep);
    }
  }

  [[nodiscard]] std::size_t scratch_bytes() const override {
    return aligned_floats(scratch_size(block()));
  }
  [[nodiscard]] std::size_t shared_bytes() const override {
    return static_cast<std::size_t>(shares_ - 1) * share_bytes();
  }
  [[nodiscard]] std::size_t parameter_bytes() const override {
    return aligned_floats(packed_size(block()));
  }
  void pack_parameters(const Weights& weights, std::byte* memory) override {
    packed_ = reinterpret_cast<float*>(memory);
    pack(block(), block_weights(step_, weights), packed_);
  }
  [[nodiscard]] std::unique_ptr<BoundOperation> bind(const Operands& operands) const override {
    return std::make_unique<Bound>(*this, operands);
  }

 private:
  class Bound final : public BoundOperation {
   public:
    Bound(const BlockOperation& operation, const Operands& at) : operation_(operation), at_(at) {}

    void run() override {
      const BlockOperation& o = operation_;
      for (std::size_t first = 0; first < o.pictures_; first += o.together_) {
        const std::size_t pictures = std::min(o.together_, o.pictures_ - first);
        for (int share = 0; share < o.shares_; ++share) {
          run_share(share, first, pictures, at_.scratch);
        }
        add_shares(first, pictures);
      }
    }

    [[nodiscard]] int parts(int threads) const override {
      if (operation_.pictures_ > 1 || threads == 1) return 1;
      if (operation_.shares_ > 1) return operation_.shares_;
      // No more than one each: where two parts meet, rows of e are computed twice.
      return std::min(threads, operation_.block().out_height);
    }
    void run_part(int part, int parts, std::byte* scratch) override {
      if (parts == 1) return run();
      if (operation_.shares_ > 1) {
        run_share(part, 0, 1, scratch);
        // Who is last adds them up, in their order.
        if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 < parts) return;
        done_.store(0, std::memory_order_relaxed);
        return add_shares(0, 1);
      }
      const int height = operation_.block().out_height;
      InvertedResidualRun what = run_of(0, 1, scratch);
      what.first_row = height * part / parts;
      what.last_row = height * (part + 1) / parts;
      inverted_residual(operation_.block(), what);
    }

   private:
    [[nodiscard]] InvertedResidualRun run_of(std::size_t first, std::size_t pictures,
                                             std::byte* scratch) const {
      return {.packed = operation_.packed_,
              .x = at_.input + first * operation_.x_size_,
              .y = at_.output + first * operation_.y_size_,
              .scratch = reinterpret_cast<float*>(scratch),
              .pictures = static_cast<int>(pictures),
              .first_row = 0,
              .last_row = operation_.block().out_height};
    }
    /// Where a share of y goes: that of the first to y itself.
    [[nodiscard]] float* place_of(int share, std::size_t first) const {
      if (share == 0) return at_.output + first * operation_.y_size_;
      const std::size_t before = static_cast<std::size_t>(share - 1) * operation_.share_bytes();
      return reinterpret_cast<float*>(at_.shared + before);
    }
    void run_share(int share, std::size_t first, std::size_t pictures, std::byte* scratch) {
      const int shares = operation_.shares_;
      InvertedResidualRun what = run_of(first, pictures, scratch);
      if (shares > 1) {
        const int steps = operation_.block().expanded / kChannelStep;
        what.first_channel = steps * share / shares * kChannelStep;
        what.last_channel = steps * (share + 1) / shares * kChannelStep;
        what.y = place_of(share, first);
      }
      inverted_residual(operation_.block(), what);
    }
    void add_shares(std::size_t first, std::size_t pictures) {
      const std::size_t size = pictures * operation_.y_size_;
      for (int share = 1; share < operation_.shares_; ++share) {
        add_to({place_of(share, first), size}, {place_of(0, first), size});
      }
    }

    const BlockOperation& operation_;
    Operands at_;
    std::atomic<int> done_{0};  ///< shares
  };

  [[nodiscard]] const InvertedResidual& block() const { return *step_.block; }
  [[nodiscard]] std::size_t share_bytes() const { return aligned_floats(together_ * y_size_); }

  Step step_;
  std::size_t pictures_;
  std::size_t x_size_, y_size_;  ///< of one picture
  std::size_t together_;         ///< pictures of one call
  int shares_ = 1;
  float* packed_ = nullptr;
};

}  // namespace

InvertedResidualWeights block_weights(const Step& step, const Weights& weights) {
  const auto values = [&](std::size_t i) { return weights.at(step.parameters[i]).data(); };
  return {.expand = values(0),
          .expand_bias = values(1),
          .depthwise = values(2),
          .depthwise_bias = values(3),
          .project = values(4),
          .project_bias = values(5)};
}

std::unique_ptr<Operation> make_block_operation(const OperationSpec& spec) {
  return std::make_unique<BlockOperation>(spec);
}

}  // namespace engraft
