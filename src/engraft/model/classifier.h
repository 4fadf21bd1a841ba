#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/hash.h"
#include "engraft/model/model.h"

namespace engraft {

/// One class of a ranking, and how probable the model takes it to be.
struct Prediction {
  std::string label;      ///< the class's name, as the model has it
  int index = 0;          ///< of the class, from 0
  float probability = 0;  ///< [0, 1]
};

struct ClassifierOptions {
  int threads = 0;  ///< 0: one per core; a single picture takes at most four
  Orientation orientation = Orientation::kUpright;
  std::optional<Precision> precision = {};  ///< none: the one that the model was made for
};

/// The entry point for programs that embed engraft: bytes, files or pixels in, ranked labels out.
/// Every member may be called from many threads at once (of several classify_files() one runs at a
/// time). A network is compiled on first use: once for single pictures, once for many.
///
/// A picture gets the same bits alone as among many, on any number of threads.
class Classifier {
 public:
  /// Throws Error(kUsage) for a negative number of threads, and for 8-bit integers where the
  /// model's ranges are not known.
  explicit Classifier(Model model, const ClassifierOptions& options = {});
  explicit Classifier(const std::filesystem::path& model_file,
                      const ClassifierOptions& options = {});
  ~Classifier();
  Classifier(Classifier&&) noexcept;
  Classifier& operator=(Classifier&&) noexcept;

  [[nodiscard]] const Model& model() const;

  /// The top labels by probability, most probable first; top ≤ 0 or more than there are: all of
  /// them. Throws Error(kBadInput) for bytes that are no picture, and kUsage for a model without
  /// labels (weights without a top).
  [[nodiscard]] std::vector<Prediction> classify(std::span<const std::byte> picture_file,
                                                 int top = 5) const;
  [[nodiscard]] std::vector<Prediction> classify(const Image& upright, int top = 5) const;
  /// Errors begin with the path.
  [[nodiscard]] std::vector<Prediction> classify_file(const std::filesystem::path& path,
                                                      int top = 5) const;

  /// A picture among many: probabilities in class order, or why there are none.
  struct Outcome {
    std::vector<float> probabilities;
    std::string error;                      ///< without the path; empty when it worked
    ErrorKind kind = ErrorKind::kInternal;  ///< of error; means nothing where error is empty
    Digest content;  ///< SHA-256 of the file's bytes; zeros where they could not be read
  };
  /// Many files at full throughput, outcomes in the order of paths. done(n) is called, one call at
  /// a time, when n pictures are finished. Throws Error(kCancelled) once a stop is requested.
  [[nodiscard]] std::vector<Outcome> classify_files(
      std::span<const std::filesystem::path> paths,
      const std::function<void(std::size_t)>& done = {}, const std::stop_token& stop = {}) const;

  /// The best `top` of class probabilities, ties by index. Throws Error(kUsage) when there are not
  /// as many as labels.
  [[nodiscard]] std::vector<Prediction> rank(std::span<const float> probabilities, int top) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engraft
