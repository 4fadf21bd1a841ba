#include "engraft/train/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>
#include <optional>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/engine/batch_runner.h"
#include "engraft/train/feature_cache.h"
#include "engraft/train/feed_clock.h"
#include "engraft/train/recent_pictures.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

/// Raised whenever decoding, resizing or the engine is changed so that features come out otherwise:
/// part of the cache's key.
constexpr int kPixelVersion = 3;

/// One row of features to make.
struct Item {
  std::size_t picture = 0;
  int view = 0;
};

/// What distinguishes the features of one request from another's.
Digest fingerprint_of(const FeatureRequest& request) {
  Sha256 hash;
  if (request.ranges != nullptr) {
    for (const auto& [value, range] : *request.ranges) {
      hash.update(fmt::format("{} {:a} {:a} ", value, range.low, range.high));
    }
  }
  return hash.update(fingerprint(request.base->graph, request.base->weights).hex())
      .update(to_json(request.preprocessing))
      .update(fmt::format("orientation {} version {}", static_cast<int>(request.orientation),
                          kPixelVersion))
      .finish();
}

/// The cache's number for an augmented view; the odd ones, 0 being the plain picture.
std::uint64_t cache_view(std::uint64_t seed, int view) {
  if (view == 0) return 0;
  return Sha256().update(fmt::format("seed {} view {}", seed, view)).finish().leading_bits() | 1;
}

Digest digest_of_pixels(const Image& image) {
  return Sha256()
      .update(fmt::format("{}x{}:", image.width, image.height))
      .update(std::as_bytes(std::span(image.pixels)))
      .finish();
}

void check_request(const FeatureRequest& request) {
  const Graph& graph = request.base->graph;
  const Shape expected{request.preprocessing.height, request.preprocessing.width, 3};
  if (graph.shape(graph.input()) != expected) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the network takes {} and the preprocessing gives {}",
                            graph.shape(graph.input()).to_string(), expected.to_string()));
  }
}

/// Makes the rows of a list of items, from the cache where it has them.
class Extraction {
 public:
  Extraction(const FeatureRequest& request, std::span<const fs::path> paths, std::uint64_t seed,
             ThreadPool& pool, Progress& progress, const std::stop_token& stop)
      : request_(request),
        paths_(paths),
        seed_(seed),
        pool_(pool),
        progress_(progress),
        stop_(stop),
        feature_size_(request.base->graph.shape(request.base->graph.output()).elements()),
        recent_(static_cast<std::size_t>(pool.threads()) + 1) {
    check_request(request);
    result_.pictures.resize(paths.size());
  }

  /// items: those of a picture next to each other, the same number for each picture.
  Features run(std::vector<Item> items, std::string_view stage, std::string_view unit) {
    items_ = std::move(items);
    result_.values = Tensor(Shape{static_cast<std::int64_t>(items_.size()), feature_size_});
    progress_.begin(stage, static_cast<std::int64_t>(items_.size()), unit);
    if (!request_.cache.empty()) {
      cache_.emplace(request_.cache, fingerprint_of(request_), static_cast<int>(feature_size_));
    }
    missing_.resize(items_.size());
    std::iota(missing_.begin(), missing_.end(), std::size_t{0});
    if (cache_) look_up();
    if (!missing_.empty() && !stop_.stop_requested()) compute();
    finish();
    return std::move(result_);
  }

 private:
  /// Takes what the cache has; missing_ keeps the rest.
  void look_up() {
    const std::size_t each = paths_.empty() ? 0 : items_.size() / paths_.size();
    std::vector<char> done(items_.size());
    pool_.for_each(paths_.size(), [&](std::size_t picture, int) {
      if (stop_.stop_requested()) return;
      try {
        const Digest content = sha256(read_file(paths_[picture]));
        for (std::size_t i = picture * each; i < (picture + 1) * each; ++i) {
          const auto found = cache_->find(content, cache_view(seed_, items_[i].view));
          if (!found) continue;
          keep(i, content, found->pixels, found->features);
          done[i] = 1;
          const std::lock_guard lock(mutex_);
          ++result_.from_cache;
        }
      } catch (const Error& error) {
        for (std::size_t i = picture * each; i < (picture + 1) * each; ++i) {
          reject(i, error.what());
          done[i] = 1;
        }
      }
    });
    std::erase_if(missing_, [&](std::size_t item) { return done[item] != 0; });
  }

  void compute() {
    struct Filled {
      Digest content, pixels;
    };
    std::vector<Filled> filled(missing_.size());
    BatchRunner runner(request_.base->graph, request_.base->weights, pool_, request_.ranges);
    clock_.emplace(pool_.threads());
    const auto fill = [&](std::size_t i, std::span<float> input) {
      if (stop_.stop_requested()) return false;
      const FeedClock::Reading reading(*clock_);
      const std::size_t item = missing_[i];
      try {
        const auto picture = picture_of(items_[item].picture);
        const Image fitted = fitted_view(*picture, items_[item].view);
        filled[i] = {.content = picture->content, .pixels = digest_of_pixels(fitted)};
        normalise(fitted, request_.preprocessing, input);
        return true;
      } catch (const Error& error) {
        reject(item, error.what());
      } catch (const std::bad_alloc&) {
        reject(item, "there is not enough memory to decode it");
      }
      return false;
    };
    const auto take = [&](std::size_t i, std::span<const float> output) {
      const std::size_t item = missing_[i];
      keep(item, filled[i].content, filled[i].pixels, output);
      if (!cache_) return;
      cache_->put(filled[i].content, cache_view(seed_, items_[item].view),
                  {.pixels = filled[i].pixels, .features = {output.begin(), output.end()}});
    };
    runner.run(missing_.size(), fill, take);
  }

  /// Decoded now, or a moment ago for another view.
  std::shared_ptr<const RecentPicture> picture_of(std::size_t picture) {
    const bool shared = items_.size() > paths_.size();
    if (shared) {
      if (auto found = recent_.find(picture)) return found;
    }
    DecodeOptions options = decode_options(request_.preprocessing);
    options.orientation = request_.orientation;
    const Bytes bytes = read_file(paths_[picture]);
    auto decoded = std::make_shared<const RecentPicture>(
        RecentPicture{.content = sha256(bytes), .image = decode_image(bytes, options)});
    if (shared) recent_.put(picture, decoded);
    return decoded;
  }

  [[nodiscard]] Image fitted_view(const RecentPicture& picture, int view) const {
    if (view == 0) return fit(picture.image, request_.preprocessing);
    return fit_view(picture.image, request_.preprocessing,
                    {.index = view, .seed = seed_, .key = picture.content.leading_bits()});
  }

  void keep(std::size_t item, const Digest& content, const Digest& pixels,
            std::span<const float> features) {
    std::copy(features.begin(), features.end(),
              result_.values.row(static_cast<std::int64_t>(item)).begin());
    const std::lock_guard lock(mutex_);
    PictureStatus& status = result_.pictures[items_[item].picture];
    status.content = content;
    if (items_[item].view == 0) status.pixels = pixels;
    count_one();
  }

  void reject(std::size_t item, const std::string& why) {
    const std::size_t picture = items_[item].picture;
    const std::lock_guard lock(mutex_);
    result_.pictures[picture].error = without_path(why, paths_[picture]);
    count_one();
  }

  void count_one() { progress_.update(++done_, clock_ ? clock_->text() : std::string()); }

  void finish() {
    if (cache_) {
      cache_->flush();
      if (const std::string problem = cache_->problem(); !problem.empty()) progress_.note(problem);
      cache_.reset();
    }
    progress_.end();
    throw_if_stopped(stop_);
  }

  const FeatureRequest& request_;
  std::span<const fs::path> paths_;
  std::uint64_t seed_;
  ThreadPool& pool_;
  Progress& progress_;
  const std::stop_token& stop_;
  std::int64_t feature_size_;
  RecentPictures recent_;
  std::optional<FeedClock> clock_;  ///< once the cache has been asked
  std::vector<Item> items_;
  std::vector<std::size_t> missing_;  ///< items that the cache does not have
  std::optional<FeatureCache> cache_;

  std::mutex mutex_;  ///< of what follows, and of progress_
  std::int64_t done_ = 0;
  Features result_;
};

}  // namespace

Features extract_features(const FeatureRequest& request, std::span<const fs::path> paths,
                          ThreadPool& pool, Progress& progress, const std::stop_token& stop) {
  std::vector<Item> items(paths.size());
  for (std::size_t i = 0; i < items.size(); ++i) items[i].picture = i;
  return Extraction(request, paths, 0, pool, progress, stop)
      .run(std::move(items), "Reading pictures", "pictures");
}

Tensor extract_views(const FeatureRequest& request, std::span<const fs::path> paths, int views,
                     std::uint64_t seed, ThreadPool& pool, Progress& progress,
                     const std::stop_token& stop) {
  if (views < 1) {
    throw Error(ErrorKind::kUsage, fmt::format("views must be at least 1, not {}", views));
  }
  std::vector<Item> items;
  items.reserve(paths.size() * static_cast<std::size_t>(views));
  for (std::size_t picture = 0; picture < paths.size(); ++picture) {
    for (int view = 1; view <= views; ++view) items.push_back({.picture = picture, .view = view});
  }
  Features features = Extraction(request, paths, seed, pool, progress, stop)
                          .run(std::move(items), "looking at pictures in other ways", "views");
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string& error = features.pictures[i].error;
    if (!error.empty()) throw Error(ErrorKind::kBadInput, paths[i].string() + ": " + error);
  }
  return std::move(features.values);
}

}  // namespace engraft
