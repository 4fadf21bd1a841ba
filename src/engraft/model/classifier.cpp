#include "engraft/model/classifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <numeric>
#include <optional>
#include <utility>

#include "engraft/base/progress.h"
#include "engraft/base/thread_pool.h"
#include "engraft/engine/batch_runner.h"
#include "engraft/engine/plan.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

/// Threads beyond which a single picture gains nothing: too many rows would be computed twice.
constexpr int kMostOnOnePicture = 4;

/// One picture at a time. Each caller takes a workspace and gives it back; who finds the team busy
/// with another caller's picture computes his own alone.
class SingleRunner {
 public:
  SingleRunner(const Network& network, int threads, const ActivationRanges* ranges)
      : team_(std::min(threads, kMostOnOnePicture)),
        plan_(Plan::compile(network.graph, network.weights,
                            {.batch = 1, .threads = team_.threads(), .ranges = ranges})) {}

  std::vector<float> run(const Image& fitted, const Preprocessing& preprocessing) {
    Plan::Workspace workspace = take();
    normalise(fitted, preprocessing, plan_.input(workspace));
    const std::span<const float> output = forward(workspace);
    std::vector<float> result(output.begin(), output.end());
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(workspace));
    return result;
  }

 private:
  Plan::Workspace take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        Plan::Workspace workspace = std::move(idle_.back());
        idle_.pop_back();
        return workspace;
      }
    }
    return plan_.make_workspace();
  }

  std::span<const float> forward(Plan::Workspace& workspace) {
    const std::unique_lock ours(team_mutex_, std::try_to_lock);
    return ours ? plan_.forward(workspace, team_) : plan_.forward(workspace);
  }

  Team team_;
  std::mutex team_mutex_;
  Plan plan_;
  std::mutex mutex_;
  std::vector<Plan::Workspace> idle_;
};

/// Many pictures, a micro-batch a thread.
struct ManyRunner {
  ManyRunner(const Network& network, int threads, const ActivationRanges* ranges)
      : pool(threads), batches(network.graph, network.weights, pool, ranges) {}
  ThreadPool pool;
  BatchRunner batches;
};

int checked_threads(int threads) {
  if (threads < 0) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} threads: give 1 or more, or 0 for all", threads));
  }
  return threads == 0 ? available_cores() : threads;
}

}  // namespace

struct Classifier::Impl {
  Impl(Model given, const ClassifierOptions& options)
      : model(std::move(given)),
        orientation(options.orientation),
        threads(checked_threads(options.threads)),
        precision(options.precision.value_or(model.precision)) {
    if (precision != Precision::kInt8 || !model.ranges.empty()) return;
    throw Error(ErrorKind::kUsage,
                "this model was not calibrated for 8-bit integers; train it with --precision int8, "
                "or calibrate() it on pictures of its kind");
  }

  /// What plans are compiled with.
  [[nodiscard]] const ActivationRanges* ranges() const {
    return precision == Precision::kInt8 ? &model.ranges : nullptr;
  }

  void require_labels() const {
    if (!model.labels.empty()) return;
    throw Error(ErrorKind::kUsage,
                "this model has no classes: its weights come without a top; train a head, or take "
                "weights with their top");
  }

  SingleRunner& single_runner() {
    const std::lock_guard lock(compile_mutex);
    if (!single) single.emplace(model.network, threads, ranges());
    return *single;
  }

  DecodeOptions decoding() const {
    DecodeOptions options = decode_options(model.preprocessing);
    options.orientation = orientation;
    return options;
  }

  std::vector<float> probabilities(const Image& upright) {
    require_labels();
    if (upright.width <= 0 || upright.height <= 0) {
      throw Error(ErrorKind::kUsage, "this picture has no pixels");
    }
    return single_runner().run(fit(upright, model.preprocessing), model.preprocessing);
  }

  /// One file as the network's input; false, with the reason in the outcome, where that fails: one
  /// bad picture never ends the others.
  bool read(const fs::path& path, std::span<float> input, Outcome& outcome) const {
    const auto refuse = [&](ErrorKind kind, std::string_view message) {
      outcome.kind = kind;
      outcome.error = without_path(message, path);
      return false;
    };
    try {
      const Bytes bytes = read_file(path);
      outcome.content = sha256(bytes);
      const Image upright = decode_image(bytes, decoding());
      normalise(fit(upright, model.preprocessing), model.preprocessing, input);
      return true;
    } catch (const Error& error) {
      return refuse(error.kind(), error.what());
    } catch (const std::bad_alloc&) {
      return refuse(ErrorKind::kBadInput, "there is not enough memory to decode it");
    } catch (const std::exception& error) {
      return refuse(ErrorKind::kInternal, error.what());
    }
  }

  Model model;
  Orientation orientation;
  int threads;
  Precision precision;
  std::mutex compile_mutex, many_mutex;
  std::optional<SingleRunner> single;
  std::optional<ManyRunner> many;  ///< guarded, compiled and run, by many_mutex
};

Classifier::Classifier(Model model, const ClassifierOptions& options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
Classifier::Classifier(const fs::path& model_file, const ClassifierOptions& options)
    : Classifier(load_model(model_file), options) {}
Classifier::~Classifier() = default;
Classifier::Classifier(Classifier&&) noexcept = default;
Classifier& Classifier::operator=(Classifier&&) noexcept = default;

const Model& Classifier::model() const {
  return impl_->model;
}

std::vector<Prediction> Classifier::classify(std::span<const std::byte> picture_file,
                                             int top) const {
  return classify(decode_image(picture_file, impl_->decoding()), top);
}

std::vector<Prediction> Classifier::classify(const Image& upright, int top) const {
  return rank(impl_->probabilities(upright), top);
}

std::vector<Prediction> Classifier::classify_file(const fs::path& path, int top) const {
  return classify(read_image(path, impl_->decoding()), top);
}

std::vector<Classifier::Outcome> Classifier::classify_files(
    std::span<const fs::path> paths, const std::function<void(std::size_t)>& done,
    const std::stop_token& stop) const {
  impl_->require_labels();
  const std::lock_guard one_at_a_time(impl_->many_mutex);
  if (!impl_->many) impl_->many.emplace(impl_->model.network, impl_->threads, impl_->ranges());
  std::vector<Outcome> outcomes(paths.size());
  std::mutex done_mutex;
  std::size_t finished = 0;
  const auto finish = [&] {
    const std::lock_guard lock(done_mutex);
    ++finished;
    if (done) done(finished);
  };
  const auto fill = [&](std::size_t i, std::span<float> input) {
    throw_if_stopped(stop);
    if (impl_->read(paths[i], input, outcomes[i])) return true;
    finish();
    return false;
  };
  const auto take = [&](std::size_t i, std::span<const float> output) {
    outcomes[i].probabilities.assign(output.begin(), output.end());
    finish();
  };
  impl_->many->batches.run(paths.size(), fill, take);
  return outcomes;
}

std::vector<Prediction> Classifier::rank(std::span<const float> probabilities, int top) const {
  const std::vector<std::string>& labels = impl_->model.labels;
  if (probabilities.size() != labels.size()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} probabilities for {} labels", probabilities.size(), labels.size()));
  }
  std::vector<std::size_t> order(labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t count =
      top <= 0 ? order.size() : std::min(order.size(), static_cast<std::size_t>(top));
  // NaN compares as less than everything; without that, sorting it would be undefined.
  const auto key = [&](std::size_t i) { return probabilities[i] >= 0 ? probabilities[i] : -1.0f; };
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
      [&](std::size_t a, std::size_t b) { return key(a) != key(b) ? key(a) > key(b) : a < b; });
  std::vector<Prediction> best;
  for (const std::size_t i : std::span(order).first(count)) {
    best.push_back({labels[i], static_cast<int>(i), probabilities[i]});
  }
  return best;
}

}  // namespace engraft
