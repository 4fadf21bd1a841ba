#include "distill_options.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "choice.h"
#include "engraft/version.h"
#include "engraft/zoo/zoo.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

void declare_learning(CLI::App& sub, DistillArguments& a) {
  DistillOptions& o = a.request.options;
  const auto add = [&](const char* name, auto& value, const char* text) {
    return sub.add_option(name, value, text)->group("Training");
  };
  add("--epochs", a.epochs, "Passes over the pictures [100]")
      ->type_name("N")
      ->check(between(1, 1e7));
  add("--budget", a.budget, "Instead: as many as fit into this time, such as 90m or 8h")
      ->type_name("TIME")
      ->excludes("--epochs");
  add("--batch", o.batch, "Views in a step [64]")->type_name("N")->check(between(2, 65536));
  add("--learning-rate,--lr", o.learning_rate, "Rate after the warm-up [0.002]")->type_name("RATE");
  add("--weight-decay", o.weight_decay, "[0.02]")->type_name("X");
  add("--warmup-steps", o.warmup_steps, "Steps in which the rate rises [500]")->type_name("N");
  add("--decay", o.decay, "Share of all steps in which the rate falls, at the end [0.2]")
      ->type_name("SHARE")
      ->check(between(0, 1));
  add("--ema", o.ema, "Decay of the average of weights that is kept [0.999]")->type_name("X");
  add("--temperature", o.loss.temperature, "Of both answers [1]")->type_name("T");
  add("--feature-weight", o.loss.feature_weight, "Of the error of the features [4]")
      ->type_name("X");
  add("--answer-weight", o.loss.answer_weight, "Of the divergence of the answers [1]")
      ->type_name("X");
  add("--views", o.views,
      "Different views of each picture, which then come again; the teacher's answers are kept, so "
      "that later rounds are twice as fast [0: all are new]")
      ->type_name("N");
  add("--crop", o.augmentation.crop_min_area, "Least share of a picture that a view shows [0.08]")
      ->type_name("SHARE")
      ->check(between(0.01, 1));
  add("--mixed", o.mixed, "Share of the views that another is mixed into [0.5]")
      ->type_name("SHARE")
      ->check(between(0, 1));
  add("--seed", o.seed, "Of random weights, views and the pictures held out [0]")
      ->type_name("N")
      ->check(at_least(0));
}

void declare_rest(CLI::App& sub, DistillArguments& a) {
  DistillRequest& r = a.request;
  sub.add_option("--hold-out", r.hold_out,
                 "Share of the pictures, at least one, that only judge; 0: none [0.05]")
      ->type_name("SHARE")
      ->check(between(0, 0.99));
  sub.add_option("--look-every", r.options.look_every,
                 "Epochs between two looks at them [a fiftieth of the run]")
      ->type_name("N");
  sub.add_option("--probe", r.probe,
                 "Labelled pictures, a folder per class, never learnt from: accuracy of a head on "
                 "the student's features, in five folds")
      ->type_name("DIR");
  sub.add_option("--probe-labels", r.probe_dataset.labels, "CSV of file name and label for these")
      ->type_name("CSV")
      ->needs("--probe");
  sub.add_option("--sample-drawn", r.drawn, "Learn from so many drawn pictures of plates, too [0]")
      ->type_name("N")
      ->check(between(0, 100'000));
  sub.add_option("--checkpoint-every", r.checkpoint_seconds,
                 "Seconds between two checkpoints, at least [60]")
      ->type_name("SECONDS")
      ->check(at_least(0));
  sub.add_option("--resume", a.resume,
                 "Go on with a run that was stopped, by the student's name; beside it --epochs (a "
                 "new length, until the rate begins to fall), --threads and --memory may be given")
      ->type_name("NAME.onnx");
  sub.add_option("--threads", r.threads,
                 "Worker threads; results do not depend on it [one per core]")
      ->type_name("N")
      ->check(between(1, 1024));
  sub.add_option("--memory", a.memory,
                 "Memory that the run may take, such as 4G [most of what is "
                 "free]")
      ->type_name("BYTES");
  sub.add_flag("--json", a.json, "Print the result as JSON");
}

}  // namespace

CLI::App* declare_distill_options(CLI::App& app, const std::shared_ptr<DistillArguments>& a) {
  auto* sub = app.add_subcommand(
      "distill", "Teach a small network what a large one knows, on pictures without labels");
  DistillRequest& r = a->request;
  sub->add_option("PICTURES", r.pictures, "Pictures, and folders with all the pictures in them");
  sub->add_option("--teacher", a->teacher,
                  "A model file, a name from 'engraft models', or an http(s) address [" +
                      std::string(kDefaultModel) + "]")
      ->type_name("FILE|NAME|URL");
  sub->add_option("--teacher-size", r.teacher_size,
                  "Side of the pictures that the teacher looks at [the student's]")
      ->type_name("PIXELS");
  sub->add_option("--student", r.student,
                  "mobilenet_v2_WIDTH_SIZE, which starts from random weights, or a model file to "
                  "go on from [mobilenet_v2_0.35_128]")
      ->type_name("NAME|FILE");
  sub->add_option("-o,--out", r.out, "The student's file")->type_name("NAME.onnx");
  declare_learning(*sub, *a);
  declare_rest(*sub, *a);
  sub->footer(R"(Examples:
  engraft distill --teacher mobilenet_v2_1.0_224 --student mobilenet_v2_0.35_128 photos/ --budget 8h --out small.onnx
  engraft distill --teacher runs/photos/model.onnx photos/ more/ --views 50 --epochs 400 --out small.onnx
  engraft distill --resume small.onnx

Labels are not looked at: any pictures like those to come will do, the more the better. The same crop and mixture
goes to teacher and student. NAME.onnx is written at each look, too; NAME-run has the report when all is done.)");
  return sub;
}

std::string arguments_json(const DistillArguments& a) {
  const DistillRequest& r = a.request;
  const DistillOptions& o = r.options;
  std::vector<std::string> pictures;
  for (const fs::path& path : r.pictures) pictures.push_back(path.string());
  return nlohmann::ordered_json{
             {"engraft", kVersion},
             {"pictures", pictures},
             {"drawn", r.drawn},
             {"hold_out", r.hold_out},
             {"teacher", a.teacher},
             {"teacher_size",
              r.teacher_size ? nlohmann::ordered_json(*r.teacher_size) : nlohmann::ordered_json()},
             {"student", r.student},
             {"probe", r.probe.string()},
             {"probe_labels", r.probe_dataset.labels.string()},
             {"batch", o.batch},
             {"micro_batch", o.micro_batch},
             {"optimizer", name_of(o.optimizer)},
             {"lr", o.learning_rate},
             {"weight_decay", o.weight_decay},
             {"warmup_steps", o.warmup_steps},
             {"decay", o.decay},
             {"clip", o.clip},
             {"ema", o.ema},
             {"statistics_momentum", o.statistics_momentum},
             {"feature_weight", o.loss.feature_weight},
             {"answer_weight", o.loss.answer_weight},
             {"temperature", o.loss.temperature},
             {"augmentation", nlohmann::ordered_json::parse(to_json(o.augmentation))},
             {"mixed", o.mixed},
             {"views", o.views},
             {"look_every", o.look_every},
             {"seed", o.seed}}
             .dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

}  // namespace engraft::cli
