#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engraft/base/rng.h"
#include "engraft/image/image.h"
#include "engraft/image/mix.h"
#include "engraft/train/fine_tune.h"

namespace engraft {

/// The view that fit() gives; augmented ones have the number of their epoch.
inline constexpr std::uint64_t kPlainView = 0;

/// One picture of a batch: an entry of the training pictures, and what is mixed into it.
struct Draw {
  std::size_t entry = 0;
  int occurrence = 0;  ///< times that the entry was drawn before in its epoch (balanced sampling)
  Mix mix;
  std::size_t partner = 0;  ///< entry
};

/// n / (classes · n_c) for each class with Balance::kWeights, else 1.
[[nodiscard]] std::vector<float> class_weights(std::span<const int> labels, std::size_t classes,
                                               Balance balance);

/// Which pictures make up a batch, how they are viewed and what is dropped: functions of the seed,
/// the epoch and the picture alone.
class BatchDraw {
 public:
  /// labels: of the training pictures. options and labels must outlive this.
  BatchDraw(const FineTuneOptions& options, std::span<const int> labels, Size size);

  /// Steps in an epoch.
  [[nodiscard]] std::int64_t per_epoch() const;
  /// Pictures that the first `steps` steps of an epoch have seen.
  [[nodiscard]] std::size_t pictures_after(std::int64_t steps) const;
  /// Batch `index` of an epoch, which counts from 1.
  [[nodiscard]] std::vector<Draw> batch(int epoch, std::int64_t index) const;

  /// The view of a picture in an epoch, where it occurs for the first time, the second, …
  [[nodiscard]] std::uint64_t view(int epoch, int occurrence = 0) const;
  /// That of a picture that is mixed into another.
  [[nodiscard]] std::uint64_t partner_view(int epoch) const;
  /// What dropout layer `layer` leaves out of a picture.
  [[nodiscard]] Rng dropout(int epoch, const Draw& draw, std::size_t picture, int layer) const;

 private:
  [[nodiscard]] std::vector<std::size_t> order(int epoch) const;

  const FineTuneOptions& options_;
  std::size_t pictures_;
  Size size_;
  bool views_differ_;                               ///< from the plain one
  std::vector<std::vector<std::size_t>> by_class_;  ///< entries; classes without any left out
};

}  // namespace engraft
