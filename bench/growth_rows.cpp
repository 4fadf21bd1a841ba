// What grows with rows of features: the cache that keeps them and the training of a head on them.
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <numeric>

#include "engraft/base/error.h"
#include "engraft/base/memory.h"
#include "engraft/base/rng.h"
#include "engraft/train/feature_cache.h"
#include "engraft/train/head.h"
#include "growth_measure.h"
#include "growth_timing.h"

namespace engraft::bench {
namespace {

namespace fs = std::filesystem;

/// Distinct rows; with more they come round again, which neither cache nor training notices.
/// Also those of a trial before what is measured.
constexpr std::size_t kDistinctRows = 1000;
/// Of a row in the cache: its values, its keys and what its pages leave empty.
constexpr double kCacheBytesPerRow = 5800;
/// Of a row in training: its values, its place in the epoch's order, its label.
constexpr double kHeadBytesPerRow = kFeatureSize * 4 + 48;
constexpr double kMemoryMargin = 1.2;
constexpr double kDiskMargin = 2;

std::vector<float> synthetic_row(std::uint64_t number) {
  std::vector<float> row(kFeatureSize);
  Rng rng(1, 0, number);
  for (float& value : row) value = rng.uniform(0, 6);
  return row;
}

std::string gigabytes(double bytes) {
  return fmt::format("{:.2g} GB", bytes / 1e9);
}

/// A folder that goes away with everything in it.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "engraft-growth-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw Error(ErrorKind::kIo, name +
                                      ": no temporary folder can be made; TMPDIR names another "
                                      "place for it");
    }
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

volatile std::sig_atomic_t interruption = 0;

/// While it lives, SIGINT and SIGTERM do not end the process, so that gigabytes are not left behind
/// in a temporary folder.
class Interruptible {
 public:
  Interruptible() : interrupt_(std::signal(SIGINT, note)), terminate_(std::signal(SIGTERM, note)) {}
  ~Interruptible() {
    std::signal(SIGINT, interrupt_);
    std::signal(SIGTERM, terminate_);
  }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

  static void check() {
    if (interruption != 0) throw Error(ErrorKind::kCancelled, "stopped");
  }

 private:
  static void note(int) { interruption = 1; }
  void (*interrupt_)(int);
  void (*terminate_)(int);
};

struct CacheFigures {
  double bytes = 0, write = 0, read = 0;  ///< seconds
};

/// Writes rows under keys that are spread evenly, as those of files are, and reads them back.
class CacheTrial {
 public:
  explicit CacheTrial(std::size_t rows) : keys_(rows) {
    for (std::size_t i = 0; i < rows; ++i) keys_[i] = sha256(std::as_bytes(std::span(&i, 1)));
    for (std::size_t i = 0; i < kDistinctRows; ++i) values_.push_back(synthetic_row(i));
  }

  [[nodiscard]] CacheFigures run() const {
    const ScratchFolder folder;
    const fs::path file = folder.path() / "features.sqlite";
    CacheFigures figures;
    figures.write = write(file);
    figures.bytes = static_cast<double>(fs::file_size(file));
    figures.read = read(file);
    return figures;
  }

 private:
  [[nodiscard]] double write(const fs::path& file) const {
    const Stopwatch watch;
    {
      FeatureCache cache(file, {}, kFeatureSize);
      for (std::size_t i = 0; i < keys_.size(); ++i) {
        Interruptible::check();
        cache.put(keys_[i], 0, {.pixels = keys_[i], .features = values_[i % kDistinctRows]});
      }
      cache.flush();
      if (!cache.problem().empty()) throw Error(ErrorKind::kIo, cache.problem());
    }
    return watch.seconds();
  }

  [[nodiscard]] double read(const fs::path& file) const {
    const Stopwatch watch;
    FeatureCache cache(file, {}, kFeatureSize);
    for (const Digest& key : keys_) {
      Interruptible::check();
      if (!cache.find(key, 0)) throw Error(ErrorKind::kIo, file.string() + ": a row is missing");
    }
    return watch.seconds();
  }

  std::vector<Digest> keys_;
  std::vector<std::vector<float>> values_;
};

/// The epoch's seconds.
class HeadTrial {
 public:
  explicit HeadTrial(std::size_t rows)
      : values_(Shape{static_cast<std::int64_t>(rows), kFeatureSize}),
        pictures_(rows),
        labels_(rows) {
    for (std::size_t i = 0; i < rows; ++i) {
      const auto to = values_.row(static_cast<std::int64_t>(i));
      if (i < kDistinctRows) {
        std::ranges::copy(synthetic_row(i), to.begin());
      } else {
        std::ranges::copy(values_.row(static_cast<std::int64_t>(i % kDistinctRows)), to.begin());
      }
      labels_[i] = static_cast<int>(i % 2);
    }
    std::iota(pictures_.begin(), pictures_.end(), std::size_t{0});
  }

  [[nodiscard]] double run() const {
    TrainOptions options;
    options.epochs = 1;
    return train_head({.values = &values_, .pictures = pictures_, .labels = labels_}, {}, 2,
                      options)
        .history.front()
        .seconds;
  }

 private:
  Tensor values_;
  std::vector<std::size_t> pictures_;
  std::vector<int> labels_;
};

/// Leaves a size out when there is not as much of something as it needs.
bool fits(Growth& growth, double rows, double needed, double available, const char* of_what) {
  if (needed <= available) return true;
  growth.left_out.push_back(
      fmt::format("left out: {:.0f} rows, {} of {} needed", rows, gigabytes(needed), of_what));
  return false;
}

CacheFigures measure_cache(std::size_t rows, const Effort& effort) {
  (void)CacheTrial(kDistinctRows).run();  // wakes the machine; as many rows would take too long
  const CacheTrial trial(rows);
  CacheFigures figures;
  std::vector<double> writes, reads;
  repeat(effort, [&] {
    figures = trial.run();
    writes.push_back(figures.write);
    reads.push_back(figures.read);
    return figures.write + figures.read;
  });
  figures.write = median(std::move(writes));
  figures.read = median(std::move(reads));
  return figures;
}

double measure_head(std::size_t rows, const Effort& effort) {
  (void)HeadTrial(kDistinctRows).run();
  const HeadTrial trial(rows);
  std::vector<double> seconds;
  repeat(effort, [&] { return seconds.emplace_back(trial.run()); });
  return median(std::move(seconds));
}

}  // namespace

Growth growth_of_cache(const Effort& effort) {
  Growth growth{.key = "feature_cache",
                .title = "Feature cache",
                .remark = "time for all rows; 1280 features a row",
                .x_name = "rows",
                .x_scale = Scale::kPowersOfTen,
                .y_scale = Scale::kPowersOfTen,
                .xs = row_counts(effort),
                .lines = {{.name = "write", .unit = "s"}, {.name = "read", .unit = "s"}},
                .notes = {{.name = "file", .unit = "bytes"}}};
  const Interruptible interruptible;
  for (const double rows : growth.xs) {
    CacheFigures figures{.bytes = kLeftOut, .write = kLeftOut, .read = kLeftOut};
    const auto free = static_cast<double>(fs::space(fs::temp_directory_path()).available);
    if (fits(growth, rows, kDiskMargin * kCacheBytesPerRow * rows, free, "free disk")) {
      figures = measure_cache(static_cast<std::size_t>(rows), effort);
    }
    growth.lines[0].values.push_back(figures.write);
    growth.lines[1].values.push_back(figures.read);
    growth.notes[0].values.push_back(figures.bytes);
  }
  return growth;
}

Growth growth_of_head(const Effort& effort) {
  Growth growth{.key = "head_training",
                .title = "Head training",
                .remark = "time of an epoch; linear, 2 classes, one thread",
                .x_name = "rows of 1280 features",
                .x_scale = Scale::kPowersOfTen,
                .y_scale = Scale::kPowersOfTen,
                .xs = row_counts(effort),
                .lines = {{.name = "epoch", .unit = "s"}},
                .notes = {{.name = "views/s", .unit = ""}}};
  for (const double rows : growth.xs) {
    double seconds = kLeftOut;
    const auto memory = static_cast<double>(available_memory());
    if (fits(growth, rows, kMemoryMargin * kHeadBytesPerRow * rows, memory, "memory")) {
      seconds = measure_head(static_cast<std::size_t>(rows), effort);
    }
    growth.lines[0].values.push_back(seconds);
    growth.notes[0].values.push_back(rows / seconds);
  }
  return growth;
}

}  // namespace engraft::bench
