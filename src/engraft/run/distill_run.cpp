#include "engraft/run/distill_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/base/memory.h"
#include "engraft/report/drawings.h"
#include "engraft/run/distill_artifacts.h"
#include "engraft/run/distill_budget.h"
#include "engraft/run/distill_material.h"
#include "engraft/run/distill_networks.h"
#include "engraft/run/distill_plan.h"
#include "engraft/run/feature_probe.h"
#include "engraft/run/run_folder.h"
#include "engraft/run/stopwatch.h"
#include "engraft/run/unfinished.h"
#include "engraft/train/distill_checkpoint.h"
#include "engraft/train/quantised_rows.h"
#include "engraft/version.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPhase = "distill";
constexpr const char* kIdentity = "run";
/// Pictures in memory are this much larger than the larger of the two inputs, so that close crops
/// are still sharp.
constexpr int kSpareDetail = 2;
/// Of a budget, what is kept back for the end of the run.
constexpr double kReserve = 0.03;

void validate(const DistillRequest& request) {
  check(request.options);
  require(!request.pictures.empty(), "distilling needs pictures: give files or folders");
  require(request.hold_out >= 0 && request.hold_out < 1,
          fmt::format("--hold-out {:g}: must be at least 0 and less than 1, such as 0.05",
                      request.hold_out));
  require(request.out.extension() == ".onnx",
          fmt::format("--out {}: the student's name ends in .onnx", request.out.string()));
  require(request.drawn == 0 || static_cast<bool>(request.draw), "nothing draws the pictures");
  require(request.resume || !fs::exists(fs::symlink_status(request.out)),
          fmt::format("{}: is there already; remove it, or choose another name with --out",
                      request.out.string()));
}

std::string identity_of(const DistillRequest& request, const DistillNetworks& networks,
                        const DistillMaterial& material) {
  Sha256 hash;
  hash.update(std::string_view(kVersion)).update(request.arguments);
  const auto add = [&](const Network& network) {
    hash.update(fingerprint(network.graph, network.weights).hex());
  };
  add(networks.teacher.features);
  add(networks.teacher.head);
  add(networks.student);
  for (const auto* pictures : {&material.pictures, &material.held_out, &material.probed}) {
    for (const StoredPicture& picture : *pictures) hash.update(picture.content.hex());
    hash.update("\n");
  }
  return hash.finish().hex();
}

/// The steps of a distillation, in their order.
class DistillRun {
 public:
  DistillRun(const DistillRequest& request, Progress& progress, const std::stop_token& stop)
      : request_(request), progress_(progress), stop_(stop), pool_(request.threads) {}

  DistillSummary run() {
    const fs::path run = run_of_model(request_.out);
    // First: a place that cannot be written or drawn to must not cost the whole computation.
    RunFolder::check(run);
    require_drawing();
    UnfinishedRun unfinished(run, request_.resume ? Begin::kResume : Begin::kAnew,
                             request_.command);
    if (!unfinished.earlier().empty()) progress_.note(unfinished.earlier_in_words(run));
    RunFolder folder(run);
    return unfinished.carry_out([&] { return distill(folder, unfinished); });
  }

 private:
  DistillSummary distill(RunFolder& folder, UnfinishedRun& unfinished) {
    networks_ = load_networks(request_);
    material_ = gather_distill_material(request_, memory_plan(), pool_, progress_, stop_);
    require_room_for_views();
    identity_ = identity_of(request_, networks_, material_);
    if (!material_.probed.empty()) {
      probe_.emplace(material_.probed, material_.labels, material_.class_names, pool_);
    }
    DistillOptions options = request_.options;
    const std::optional<int> plan = planned_epochs(unfinished);
    if (plan) options.epochs = *plan;
    Distiller distiller(spec_of(options), pool_);
    if (!plan && request_.budget > 0) distiller.set_epochs(epochs_in_budget(distiller));
    resume(unfinished, distiller);
    const bool longer = request_.new_epochs.has_value();
    if (longer) distiller.set_epochs(*request_.new_epochs);
    if (!plan || longer) plan_epochs(unfinished, distiller.epochs());
    train(unfinished, distiller);
    return finish(folder, unfinished, distiller);
  }

  [[nodiscard]] std::uint64_t memory_in_all() const {
    return request_.memory > 0 ? request_.memory : available_memory() / 4 * 3;
  }

  [[nodiscard]] DistillMemory memory_plan() {
    constexpr std::uint64_t kMegabyte = 1 << 20;
    const std::uint64_t own = distilling_memory(networks_.student, request_.options, pool_);
    const std::uint64_t all = memory_in_all();
    require(own < all,
            fmt::format("batches of {} take {} MB of memory, and there are {}; make them smaller "
                        "with --batch",
                        request_.options.batch, own / kMegabyte, all / kMegabyte));
    left_ = all - own;
    const int larger = std::max({networks_.teacher_view.width, networks_.teacher_view.height,
                                 networks_.student_view.width, networks_.student_view.height});
    return {.short_side = kSpareDetail * larger, .bytes = static_cast<std::size_t>(left_)};
  }

  void require_room_for_views() const {
    constexpr std::uint64_t kMegabyte = 1 << 20;
    std::uint64_t used = 0;
    for (const auto* pictures : {&material_.pictures, &material_.held_out, &material_.probed}) {
      for (const StoredPicture& picture : *pictures) used += picture.image.pixels.size();
    }
    const std::uint64_t room = left_ - std::min(left_, used);
    const std::uint64_t views =
        QuantisedRows::bytes(material_.pictures.size(), networks_.teacher.top.features()) *
        static_cast<std::uint64_t>(request_.options.views);
    require(
        views <= room,
        fmt::format("the teacher's answers to {} views of {} pictures take {} MB of memory, and "
                    "{} are left; ask for fewer --views, or leave that out",
                    request_.options.views, material_.pictures.size(), views / kMegabyte,
                    room / kMegabyte));
  }

  [[nodiscard]] DistillSpec spec_of(const DistillOptions& options) {
    DistillSpec spec{.teacher = &networks_.teacher,
                     .student = &networks_.student,
                     .teacher_view = networks_.teacher_view,
                     .student_view = networks_.student_view,
                     .pictures = material_.pictures,
                     .held_out = material_.held_out,
                     .options = options,
                     .probe = {}};
    if (probe_) {
      spec.probe = [this](const Network& student) {
        return static_cast<double>(probe_->correct(student, networks_.student_view)) /
               static_cast<double>(probe_->pictures());
      };
    }
    return spec;
  }

  int epochs_in_budget(Distiller& distiller) {
    const DistillTimes times = measure_distilling(distiller);
    const double left = request_.budget * (1 - kReserve) - since_start_.seconds();
    const int epochs = epochs_in(left, times, request_.options);
    progress_.note(fmt::format("{} epochs fit into the budget.", epochs));
    return epochs;
  }

  static CheckpointLayout layout_of(const Distiller& distiller) {
    return {.parameters = distiller.parameters(), .statistics = distiller.statistics()};
  }

  void resume(UnfinishedRun& unfinished, Distiller& distiller) {
    DistillCheckpoint checkpoint;
    const auto found = unfinished.checkpoints().latest(kPhase, [&](const FoundFile& file) {
      checkpoint = distill_checkpoint_from(file.file, layout_of(distiller), file.path.string());
      if (checkpoint.metadata[kIdentity] != identity_) {
        throw Error(ErrorKind::kBadInput,
                    fmt::format("{}: pictures, networks or options have changed since",
                                file.path.string()));
      }
    });
    if (!found) return;
    if (!found->warning.empty()) progress_.note(found->warning);
    distiller.restore(std::move(checkpoint.state));
  }

  void save(UnfinishedRun& unfinished, const Distiller& distiller) {
    unfinished.checkpoints().save(
        kPhase, distiller.steps_done(),
        to_safetensors({.state = distiller.state(), .metadata = {{kIdentity, identity_}}},
                       layout_of(distiller)));
    since_saved_ = {};
  }

  void train(UnfinishedRun& unfinished, Distiller& distiller) {
    const std::int64_t batch = distiller.batch();
    const std::int64_t first = distiller.steps_done();
    progress_.begin("Distilling", distiller.steps_in_all() * batch, "views");
    progress_.skip(first * batch);
    since_saved_ = {};
    const Stopwatch watch;
    while (!distiller.finished()) {
      if (stop_.stop_requested()) {
        save(unfinished, distiller);
        throw_if_stopped(stop_);
      }
      const std::size_t epochs = distiller.history().size();
      distiller.step();
      progress_.update(distiller.steps_done() * batch, text_of(distiller));
      if (distiller.history().size() > epochs) epoch_done(distiller);
      if (since_saved_.seconds() >= request_.checkpoint_seconds) save(unfinished, distiller);
    }
    save(unfinished, distiller);
    const double views = static_cast<double>((distiller.steps_done() - first) * batch);
    views_per_second_ = views / std::max(watch.seconds(), 1e-9);
    progress_.end();
  }

  static std::string text_of(const Distiller& distiller) {
    return fmt::format("loss {:.4f}  agreement {:.1f} %", distiller.running_loss(),
                       100 * distiller.running_agreement());
  }

  /// After a look, the student is there to be used.
  void epoch_done(const Distiller& distiller) {
    if (!distiller.looked()) return;
    const DistillResult& last = distiller.history().back();
    std::string line = fmt::format("epoch {}: ", last.epoch);
    if (std::isnan(last.held_out_agreement)) {
      line += fmt::format("agrees with the teacher on {:.1f} % of what it learnt from",
                          100 * last.agreement);
    } else {
      line += fmt::format(
          "agrees with the teacher on {:.1f} % held out, divergence {:.3f}, "
          "error of features {:.3f}",
          100 * last.held_out_agreement, last.held_out_divergence, last.held_out_feature_error);
    }
    if (!std::isnan(last.probe)) line += fmt::format("; probe {:.1f} %", 100 * last.probe);
    write_student(request_, networks_, material_, distiller);
    progress_.note(line);
  }

  DistillSummary finish(RunFolder& folder, UnfinishedRun& unfinished, const Distiller& distiller) {
    DistillSummary summary;
    summary.model = request_.out;
    summary.run = run_of_model(request_.out);
    summary.pictures = material_.pictures.size();
    summary.held_out = material_.held_out.size();
    summary.history = distiller.history();
    const DistillResult& last = summary.history.back();
    const auto estimate = [](double share, std::size_t n) {
      return n == 0 ? Estimate{}
                    : wilson(std::round(share * static_cast<double>(n)), static_cast<double>(n));
    };
    summary.agreement = estimate(last.held_out_agreement, summary.held_out);
    if (probe_) {
      summary.probed = probe_->pictures();
      summary.probe = estimate(last.probe, summary.probed);
      const auto right = probe_->correct(networks_.teacher.features, networks_.teacher_view);
      summary.teacher_probe =
          wilson(static_cast<double>(right), static_cast<double>(summary.probed));
    }
    summary.problems = material_.problems;
    summary.notes = material_.notes;
    if (!unfinished.earlier().empty()) {
      summary.notes.push_back(unfinished.earlier_in_words(summary.run));
    }
    summary.views_per_second = views_per_second_;
    throw_if_stopped(stop_);
    write_student(request_, networks_, material_, distiller);
    write_distill_artifacts(request_, networks_, summary, folder);
    unfinished.announce(folder / "results.csv");
    summary.earlier = folder.commit();
    summary.seconds = since_start_.seconds();
    return summary;
  }

  const DistillRequest& request_;
  Progress& progress_;
  const std::stop_token& stop_;
  Stopwatch since_start_, since_saved_;
  ThreadPool pool_;
  DistillNetworks networks_;
  DistillMaterial material_;
  std::optional<FeatureProbe> probe_;
  std::string identity_;
  std::uint64_t left_ = 0;  ///< bytes for pictures and remembered answers
  double views_per_second_ = 0;
};

}  // namespace

fs::path run_of_model(const fs::path& out) {
  fs::path run = out;
  run.replace_extension();
  run += kRunOfModelSuffix;
  return run;
}

DistillSummary distill_run(const DistillRequest& request, Progress& progress,
                           const std::stop_token& stop) {
  validate(request);
  return DistillRun(request, progress, stop).run();
}

}  // namespace engraft
