#pragma once

#include <cmath>
#include <limits>
#include <string>

#include "engraft/image/decode.h"
#include "engraft/report/drawings.h"
#include "engraft/report/run_record.h"

namespace engraft::test {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A picture of one grey, far from every colour that drawings use.
inline Image grey_picture(int width = 64, int height = 48) {
  Image image(width, height);
  for (auto& value : image.pixels) value = 128;
  return image;
}

inline ShownPrediction shown(const std::string& truth, const std::string& predicted) {
  return {.picture = grey_picture(),
          .name = "photo.jpg",
          .true_label = truth,
          .predicted_label = predicted,
          .probability = 0.9f};
}

inline std::vector<CurvePoint> falling_curve(int epochs) {
  std::vector<CurvePoint> curve;
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const float decay = std::exp(-static_cast<float>(epoch) / 10);
    curve.push_back({.epoch = epoch,
                     .train_loss = decay,
                     .val_loss = 0.2f + decay,
                     .train_accuracy = 1 - 0.4f * decay,
                     .val_accuracy = 0.9f - 0.3f * decay});
  }
  return curve;
}

/// An evaluation of `classes` classes, ten pictures each, `wrong` of each taken for the next class.
inline Evaluation evaluation(int classes, int wrong) {
  Evaluation result;
  const auto size = static_cast<std::size_t>(classes);
  result.n = 10 * classes;
  result.correct = result.n - wrong * classes;
  result.accuracy = wilson(result.correct, result.n);
  result.balanced_accuracy = result.accuracy;
  result.macro_f1 = result.accuracy;
  result.confusion.assign(size, std::vector<int>(size));
  for (std::size_t i = 0; i < size; ++i) {
    result.confusion[i][i] = 10 - wrong;
    result.confusion[i][(i + 1) % size] += wrong;
    result.per_class.push_back({.label = "class " + std::to_string(i),
                                .n = 10,
                                .predicted = 10,
                                .precision = wilson(10 - wrong, 10),
                                .recall = wilson(10 - wrong, 10),
                                .f1 = wilson(10 - wrong, 10)});
  }
  return result;
}

inline RunRecord sample_record() {
  RunRecord run;
  run.title = "a run";
  run.class_names = {"clean", "dirty"};
  run.curve = falling_curve(20);
  run.best_epoch = 17;
  run.evaluation = evaluation(2, 1);
  run.evaluated_on = "20 validation pictures";
  run.predictions = {shown("clean", "clean"), shown("dirty", "clean"), shown("dirty", "dirty")};
  run.facts = {{"Base model", "mobilenet_v2"}, {"Seed", "0"}};
  run.notes = {"A sentence."};
  run.problems = {{"broken.jpg", "the JPEG ends early"}};
  return run;
}

inline RunRecord record_of_classes(int classes, int wrong = 1) {
  RunRecord run;
  for (int i = 0; i < classes; ++i) run.class_names.push_back("class " + std::to_string(i));
  run.evaluation = evaluation(classes, wrong);
  return run;
}

inline Image painted(const Drawing& drawing, double scale = 1) {
  return decode_image(to_png(drawing, scale));
}

/// Pixels of nearly that colour, 0xRRGGBB.
inline int count_pixels(const Image& image, std::uint32_t rgb) {
  int count = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    const auto near = [&](std::size_t channel, std::uint32_t value) {
      return std::abs(int{image.pixels[i + channel]} - static_cast<int>(value & 0xFF)) <= 3;
    };
    count += near(0, rgb >> 16) && near(1, rgb >> 8) && near(2, rgb) ? 1 : 0;
  }
  return count;
}

inline constexpr std::uint32_t kBlue = 0x0072B2;
inline constexpr std::uint32_t kVermilion = 0xD55E00;
inline constexpr std::uint32_t kRed = 0xC8102E;
/// Everything that may come from outside in one string.
inline const std::string kHostile =
    "<script>alert(\"x\")</script>&'\xff\xc3(\xed\xa0\x80\xef\xbf\xbe\n\x01 "
    "\xe2\x80\xae http://example.org 汉字 Größe";

}  // namespace engraft::test
