#include "evaluation_output.h"

#include <fmt/format.h>

#include <algorithm>

#include "engraft/base/utf8.h"
#include "engraft/data/csv.h"
#include "options.h"
#include "terminal.h"

namespace engraft::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kShownConfusions = 8;

ordered_json estimate_json(const Estimate& estimate) {
  return {{"value", estimate.value}, {"interval", {estimate.low, estimate.high}}};
}

std::string percent(const Estimate& estimate) {
  return cli::percent({estimate.value, estimate.low, estimate.high});
}

/// Columns of characters, not bytes.
std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, display_width(text)), ' ');
}

std::string class_table(const Evaluation& evaluation) {
  std::size_t width = 5;
  for (const ClassMetrics& row : evaluation.per_class)
    width = std::max(width, display_width(row.label));
  std::string text =
      fmt::format("\n{}      n   precision  recall      F1\n", padded("class", width));
  for (const ClassMetrics& row : evaluation.per_class) {
    text += fmt::format("{}  {:5}   {:7.1f} % {:5.1f} % {:5.1f} %\n",
                        padded(printable(row.label), width), row.n, 100 * row.precision.value,
                        100 * row.recall.value, 100 * row.f1.value);
  }
  return text;
}

std::string confusion_lines(const Evaluation& evaluation) {
  struct Cell {
    int count;
    std::size_t truth, predicted;
  };
  std::vector<Cell> cells;
  for (std::size_t truth = 0; truth < evaluation.confusion.size(); ++truth) {
    for (std::size_t predicted = 0; predicted < evaluation.confusion.size(); ++predicted) {
      const int count = evaluation.confusion[truth][predicted];
      if (truth != predicted && count > 0) cells.push_back({count, truth, predicted});
    }
  }
  if (cells.empty()) return "\nNo mistakes.\n";
  std::ranges::stable_sort(cells, std::ranges::greater{}, &Cell::count);
  std::string text = "\nMistakes:\n";
  for (std::size_t i = 0; i < std::min(cells.size(), kShownConfusions); ++i) {
    text += fmt::format("  {:4}  {} taken for {}\n", cells[i].count,
                        printable(evaluation.per_class[cells[i].truth].label),
                        printable(evaluation.per_class[cells[i].predicted].label));
  }
  return text;
}

}  // namespace

ordered_json accuracy_json(const Evaluation& evaluation) {
  return {{"accuracy", evaluation.accuracy.value},
          {"interval", {evaluation.accuracy.low, evaluation.accuracy.high}},
          {"n", evaluation.n}};
}

ordered_json per_class_json(const Evaluation& evaluation) {
  auto list = ordered_json::array();
  for (const ClassMetrics& row : evaluation.per_class) {
    list.push_back({{"label", row.label},
                    {"n", row.n},
                    {"precision", estimate_json(row.precision)},
                    {"recall", estimate_json(row.recall)},
                    {"f1", estimate_json(row.f1)}});
  }
  return list;
}

std::string per_class_csv(const Evaluation& evaluation) {
  std::string text =
      "label,n,predicted,precision,precision_low,precision_high,recall,recall_low,recall_high,f1,"
      "f1_low,f1_high\n";
  const auto fields = [](const Estimate& estimate) {
    return fmt::format(",{:.6f},{:.6f},{:.6f}", estimate.value, estimate.low, estimate.high);
  };
  for (const ClassMetrics& row : evaluation.per_class) {
    text += fmt::format("{},{},{}{}{}{}\n", csv_field(row.label), row.n, row.predicted,
                        fields(row.precision), fields(row.recall), fields(row.f1));
  }
  return text;
}

std::string evaluation_text(const Evaluated& evaluated) {
  const Evaluation& evaluation = evaluated.evaluation;
  std::string text = fmt::format("{}  {}, {} of {}{}\n", bold("Accuracy"),
                                 percent(evaluation.accuracy), evaluation.correct, evaluated.on,
                                 evaluated.in_floats ? ", in 8-bit integers" : "");
  if (evaluated.in_floats) {
    text += fmt::format("float32   {}, {} of the same {}\n", percent(evaluated.in_floats->accuracy),
                        evaluated.in_floats->correct, evaluated.in_floats->n);
  }
  text += fmt::format("Balanced  {}\n", percent(evaluation.balanced_accuracy));
  if (evaluation.top_k > 0)
    text += fmt::format("Top {}     {}\n", evaluation.top_k, percent(evaluation.top_k_accuracy));
  return text + class_table(evaluation) + confusion_lines(evaluation);
}

std::string calibration_notice(std::size_t pictures) {
  return fmt::format(
      "The model brings no scales for 8-bit integers; {} set them. One that was trained with "
      "--precision int8 brings its own.\n",
      pictures == 1 ? "this picture" : fmt::format("{} of these pictures", pictures));
}

}  // namespace engraft::cli
