#include "growth_measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engraft/base/rng.h"
#include "engraft/engine/batch_runner.h"
#include "engraft/graph/mobilenet_v2.h"
#include "engraft/graph/random_weights.h"
#include "growth_timing.h"

namespace engraft::bench {

namespace {

constexpr double kPatience = 4;  ///< times the effort's seconds
/// Pictures a thread has in a call, so that the end, when some threads wait, counts little.
constexpr std::size_t kPicturesPerThread = 16;
constexpr std::size_t kLeastPictures = 64;

std::size_t pictures_for(int threads) {
  return std::max(kLeastPictures, kPicturesPerThread * static_cast<std::size_t>(threads));
}

struct ExtractionSpec {
  float width = 1;
  int image_size = 224;
  int threads = 1;
};

/// A base without a top, the features of synthetic pictures.
class Extraction {
 public:
  explicit Extraction(const ExtractionSpec& spec)
      : graph_(mobilenet_v2({.width = spec.width, .image_size = spec.image_size, .classes = 0})),
        pool_(spec.threads),
        runner_(graph_, random_weights(graph_, 1), pool_),
        picture_(static_cast<std::size_t>(graph_.shape(graph_.input()).elements())) {
    Rng rng(1);
    for (float& value : picture_) value = rng.uniform(-1, 1);
  }

  /// Pictures a second when so many are handed over at once.
  [[nodiscard]] double rate(std::size_t pictures, const Effort& effort) {
    run(pictures);  // the workers' memory
    std::vector<double> rates;
    repeat(effort, [&] {
      const Stopwatch watch;
      run(pictures);
      const double seconds = watch.seconds();
      rates.push_back(static_cast<double>(pictures) / seconds);
      return seconds;
    });
    return median(std::move(rates));
  }

 private:
  void run(std::size_t pictures) {
    first_features_.resize(pictures);
    runner_.run(
        pictures,
        [&](std::size_t, std::span<float> input) {
          std::ranges::copy(picture_, input.begin());
          return true;
        },
        [&](std::size_t i, std::span<const float> output) { first_features_[i] = output[0]; });
  }

  Graph graph_;
  ThreadPool pool_;
  BatchRunner runner_;
  std::vector<float> picture_, first_features_;
};

double rate_of(const ExtractionSpec& spec, const Effort& effort) {
  return Extraction(spec).rate(pictures_for(spec.threads), effort);
}

std::string cores_text(int cores) {
  return cores == 1 ? "one core" : fmt::format("{} cores", cores);
}

constexpr const char* kRate = "pictures/s";

}  // namespace

void repeat(const Effort& effort, const std::function<double()>& run) {
  double sum = 0;
  for (std::size_t done = 0; sum < kPatience * effort.seconds; ++done) {
    if (done >= effort.repetitions && sum >= effort.seconds) break;
    sum += run();
  }
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

std::vector<double> row_counts(const Effort& effort) {
  std::vector<double> counts;
  for (std::size_t rows = 1000; rows <= effort.most_rows; rows *= 10) {
    counts.push_back(static_cast<double>(rows));
  }
  return counts;
}

Growth growth_with_threads(const Effort& effort) {
  Growth growth{.key = "threads",
                .title = "Threads",
                .remark = "pictures/s, width 1.0 at 224 × 224",
                .x_name = "threads",
                .lines = {{.name = "measured", .unit = kRate}},
                .expected = {{.name = "in proportion", .unit = kRate}}};
  const int cores = available_cores();
  std::vector<int> counts;
  for (int threads = 1; threads < cores; threads *= 2) counts.push_back(threads);
  counts.push_back(cores);
  for (const int threads : counts) {
    growth.xs.push_back(threads);
    std::vector<double>& rates = growth.lines[0].values;
    rates.push_back(rate_of({.threads = threads}, effort));
    growth.expected[0].values.push_back(threads * rates[0]);
  }
  if (counts.size() == 1) growth.expected.clear();
  return growth;
}

Growth growth_with_batch(const Effort& effort) {
  const int cores = available_cores();
  Growth growth{.key = "batch",
                .title = "Pictures at once",
                .remark = "pictures/s, width 1.0 at 224 × 224, " + cores_text(cores),
                .x_name = "pictures handed over in one call",
                .x_scale = Scale::kPowersOfTwo,
                .lines = {{.name = "measured", .unit = kRate}}};
  Extraction extraction({.threads = cores});
  for (std::size_t pictures = 1; pictures <= 64; pictures *= 2) {
    growth.xs.push_back(static_cast<double>(pictures));
    growth.lines[0].values.push_back(extraction.rate(pictures, effort));
  }
  return growth;
}

Growth growth_with_image_size(const Effort& effort) {
  const int cores = available_cores();
  Growth growth{
      .key = "image_size",
      .title = "Picture size",
      .remark = "pictures/s, " + cores_text(cores),
      .x_name = "side of the picture, pixels",
      .xs = {96, 128, 160, 192, 224},
      .lines = {{.name = "width 0.35", .unit = kRate}, {.name = "width 1.0", .unit = kRate}}};
  for (std::size_t line = 0; line < growth.lines.size(); ++line) {
    for (const double size : growth.xs) {
      const ExtractionSpec spec{.width = line == 0 ? 0.35f : 1.0f,
                                .image_size = static_cast<int>(size),
                                .threads = cores};
      growth.lines[line].values.push_back(rate_of(spec, effort));
    }
  }
  return growth;
}

Growth growth_with_width(const Effort& effort) {
  const int cores = available_cores();
  Growth growth{.key = "width",
                .title = "Network width",
                .remark = "pictures/s, 224 × 224, " + cores_text(cores),
                .x_name = "width multiplier",
                .xs = {0.35, 0.5, 0.75, 1.0, 1.3, 1.4},
                .lines = {{.name = "measured", .unit = kRate}}};
  for (const double width : growth.xs) {
    growth.lines[0].values.push_back(
        rate_of({.width = static_cast<float>(width), .threads = cores}, effort));
  }
  return growth;
}

}  // namespace engraft::bench
