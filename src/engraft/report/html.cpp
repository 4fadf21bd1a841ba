#include "engraft/report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engraft/report/drawings.h"
#include "engraft/report/html_style.h"
#include "engraft/report/inline_svg.h"
#include "engraft/report/text.h"

namespace engraft {
namespace {

/// Tables with more rows than this are folded up.
constexpr std::size_t kLongTable = 30;
/// Matrices with more classes scroll on a narrow screen rather than shrink.
constexpr std::size_t kRoomyMatrix = 6;
constexpr std::size_t kMostPredictions = 20;

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string plural(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string mistake_worth(int n) {
  if (n == 0) return "Nothing was evaluated, so this says nothing.";
  if (n == 1) return "With a single picture this says nothing.";
  const double points = 100.0 / n;
  const std::string worth = fmt::format("{:.{}f}", points, points < 1 ? 2 : 1);
  return fmt::format(
      "With {} pictures one mistake is worth {} {}: two runs that are a few mistakes apart are as "
      "good as equal.",
      n, worth, worth == "1.0" ? "point" : "points");
}

/// A strip from 0 to 100 % with the interval as a band and the value as a mark.
std::string scale(const Estimate& estimate) {
  const double low = std::clamp(100 * estimate.low, 0.0, 100.0);
  const double high = std::clamp(100 * estimate.high, low, 100.0);
  return fmt::format(
      "<div class=\"scale\" aria-hidden=\"true\"><div class=\"track\">"
      "<i style=\"left:{:.2f}%;width:{:.2f}%\"></i><b style=\"left:{:.2f}%\"></b></div>"
      "<div class=\"ends\"><span>0 %</span><span>50 %</span><span>100 %</span></div></div>\n",
      low, high - low, std::clamp(100 * estimate.value, 0.0, 100.0));
}

std::string mistakes_in_words(const Evaluation& evaluation) {
  return plural(static_cast<std::size_t>(std::max(evaluation.n - evaluation.correct, 0)),
                "mistake");
}

std::string in_floats(const RunRecord& run) {
  if (!run.in_floats) return "";
  const Evaluation& evaluation = *run.in_floats;
  return fmt::format(
      "<p>That is in 8-bit integers, for which the model is made. In float32 it is <strong "
      "class=\"number\">{}</strong>; 95 % interval: <span class=\"number\">{}</span>, n = {}, "
      "{}</p>\n",
      percent(evaluation.accuracy.value), interval(evaluation.accuracy), evaluation.n,
      mistakes_in_words(evaluation));
}

std::string headline(const RunRecord& run) {
  const Evaluation& evaluation = run.evaluation;
  const std::string on =
      run.evaluated_on.empty() ? "" : fmt::format(" ({})", html_escape(run.evaluated_on));
  return fmt::format(
      "<section class=\"card\">\n<div class=\"headline\">\n"
      "<div class=\"figure-number number\">{}</div>\n<div class=\"text\">\n"
      "<p><strong>of {} recognised correctly</strong>{}<br>95 % interval: "
      "<span class=\"number\">{}</span>, n = {}, {}</p>\n{}"
      "<p class=\"muted small\">{}</p>\n</div>\n</div>\n{}</section>\n",
      evaluation.n == 0 ? "–" : percent(evaluation.accuracy.value),
      plural(static_cast<std::size_t>(std::max(evaluation.n, 0)), "picture"), on,
      interval(evaluation.accuracy), evaluation.n, mistakes_in_words(evaluation), in_floats(run),
      mistake_worth(evaluation.n), evaluation.n == 0 ? "" : scale(evaluation.accuracy));
}

std::string tile(std::string_view name, const std::string& value, const std::string& below) {
  return fmt::format(
      "<div class=\"tile\"><div class=\"name\">{}</div><div class=\"value\">{}</div>"
      "<span class=\"interval\">{}</span></div>\n",
      name, value, below);
}

std::string tiles(const Evaluation& evaluation) {
  if (evaluation.n == 0) return "";
  const auto estimate = [](std::string_view name, const Estimate& value) {
    return tile(name, percent(value.value), interval(value));
  };
  std::string html = "<div class=\"tiles\">\n";
  html += estimate("Balanced accuracy", evaluation.balanced_accuracy);
  html += estimate("Macro F1", evaluation.macro_f1);
  if (evaluation.top_k > 0) {
    html += estimate(fmt::format("Right among the first {}", evaluation.top_k),
                     evaluation.top_k_accuracy);
  }
  html += tile("Log loss", fmt::format("{:.3f}", evaluation.log_loss), "nats a picture");
  return html + "</div>\n";
}

std::string notes(const RunRecord& run) {
  if (run.notes.empty()) return "";
  std::string html = "<section class=\"notes\" aria-label=\"Notes\">\n";
  for (const std::string& note : run.notes) {
    html += fmt::format("<p>{}</p>\n", html_escape(note));
  }
  return html + "</section>\n";
}

std::string folds(const std::vector<double>& accuracies) {
  if (accuracies.empty()) return "";
  double mean = 0;
  for (const double accuracy : accuracies)
    mean += accuracy / static_cast<double>(accuracies.size());
  const auto [low, high] = std::minmax_element(accuracies.begin(), accuracies.end());
  std::string html = fmt::format(
      "<section>\n<h2>Folds</h2>\n<p>Trained {} times, each time on all but one fold and judged on "
      "that one. Mean accuracy <strong class=\"number\">{}</strong>, from {} to {}.</p>\n"
      "<div class=\"tiles folds\">\n",
      accuracies.size(), percent(mean), percent(*low), percent(*high));
  for (std::size_t i = 0; i < accuracies.size(); ++i) {
    html += tile(fmt::format("Fold {}", i + 1), percent(accuracies[i]), {});
  }
  return html + "</div>\n</section>\n";
}

std::string drawing(std::string_view heading, std::string_view sentence, const Drawing& drawn,
                    const InlineSvg& options, std::string_view css_class) {
  return fmt::format(
      "<section>\n<h2>{}</h2>\n<p class=\"muted small\">{}</p>\n<div "
      "class=\"drawing{}\">\n{}</div>\n"
      "</section>\n",
      heading, sentence, css_class, inline_svg(to_svg(drawn), options));
}

std::string estimate_cell(const Estimate& estimate) {
  return fmt::format(
      "<td class=\"right\"><span class=\"number\">{}</span><span class=\"interval\">{}</span></td>",
      percent(estimate.value), interval(estimate));
}

/// A long table folds up behind a line that says what it is.
std::string folded(std::string table, std::size_t rows, std::string_view noun) {
  if (rows <= kLongTable) return table;
  return fmt::format("<details><summary>Show all {} {}</summary>\n{}</details>\n", rows, noun,
                     table);
}

std::string class_table(const std::vector<ClassMetrics>& classes) {
  if (classes.empty()) return "";
  std::string table =
      "<div class=\"card table\"><table>\n<thead><tr><th scope=\"col\">Class</th>"
      "<th scope=\"col\" class=\"right\">Pictures</th><th scope=\"col\" "
      "class=\"right\">Precision</th>"
      "<th scope=\"col\" class=\"right\">Recall</th><th scope=\"col\" class=\"right\">F1</th></tr>"
      "</thead>\n<tbody>\n";
  for (const ClassMetrics& metrics : classes) {
    table +=
        fmt::format("<tr><th scope=\"row\">{}</th><td class=\"right number\">{}</td>{}{}{}</tr>\n",
                    html_escape(metrics.label), metrics.n, estimate_cell(metrics.precision),
                    estimate_cell(metrics.recall), estimate_cell(metrics.f1));
  }
  table += "</tbody></table></div>\n";
  return "<section>\n<h2>Class by class</h2>\n<p class=\"muted small\">Precision: of the pictures "
         "taken for the class, the share that are of it. Recall: of the pictures of the class, the "
         "share that were found. Below each, its 95 % interval.</p>\n" +
         folded(std::move(table), classes.size(), "classes") + "</section>\n";
}

struct GridText {
  std::string_view heading, sentence, id_prefix;
};

std::string prediction_grid(const std::vector<ShownPrediction>& predictions, const GridText& text) {
  if (predictions.empty()) return "";
  std::string cards;
  for (std::size_t i = 0; i < std::min(predictions.size(), kMostPredictions); ++i) {
    const ShownPrediction& shown = predictions[i];
    const std::string prefix = fmt::format("{}{}", text.id_prefix, i);
    const std::string label =
        fmt::format("{}: predicted {}, {}, {}", shown.name, shown.predicted_label,
                    percent(double{shown.probability}, 0),
                    shown.right() ? "right" : "wrong, truly " + shown.true_label);
    cards += inline_svg(to_svg(prediction_card(shown)), {.id_prefix = prefix, .label = label});
  }
  return fmt::format(
      "<section>\n<h2>{}</h2>\n<p class=\"muted small\">{}</p>\n"
      "<div class=\"drawing\"><div class=\"cards\">\n{}</div></div>\n</section>\n",
      text.heading, text.sentence, cards);
}

std::string mistakes(const RunRecord& run) {
  return prediction_grid(run.mistakes,
                         {.heading = "Mistakes",
                          .sentence = "The wrong ones among all pictures judged, the surest first. "
                                      "Look at them: some labels may be the mistake.",
                          .id_prefix = "m"});
}

std::string predictions_drawn(const RunRecord& run) {
  const std::size_t count = std::min(run.predictions.size(), kMostPredictions);
  const auto wrong = std::count_if(run.predictions.begin(),
                                   run.predictions.begin() + static_cast<std::ptrdiff_t>(count),
                                   [](const ShownPrediction& shown) { return !shown.right(); });
  const std::string sentence = fmt::format(
      "{}, drawn by lot, {} wrong. In bold what the model says and how sure it is, below it the "
      "truth; wrong ones have a red frame and a cross.",
      plural(count, "picture"), wrong == 0 ? "none" : fmt::format("{}", wrong));
  return prediction_grid(run.predictions,
                         {.heading = "Predictions", .sentence = sentence, .id_prefix = "p"});
}

std::string pair_table(std::string_view css_class, const Rows& rows) {
  std::string table =
      fmt::format("<div class=\"card table\"><table class=\"{}\">\n<tbody>\n", css_class);
  for (const auto& [name, value] : rows) {
    table += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", html_escape(name),
                         html_escape(value));
  }
  return table + "</tbody></table></div>\n";
}

std::string facts(const Rows& rows) {
  if (rows.empty()) return "";
  return "<section>\n<h2>The run</h2>\n" + pair_table("facts", rows) + "</section>\n";
}

std::string problems(const Rows& rows) {
  if (rows.empty()) return "";
  return fmt::format(
             "<section>\n<h2>Problems in the data</h2>\n<p class=\"muted small\">{}; what could "
             "not "
             "be used took no part.</p>\n",
             plural(rows.size(), "problem")) +
         folded(pair_table("problems", rows), rows.size(), "problems") + "</section>\n";
}

std::string drawings(const RunRecord& run) {
  std::string html;
  if (!run.curve.empty()) {
    html += drawing("Training",
                    "Training is measured with dropout on, so validation may well be the better of "
                    "the two.",
                    curves(run), {.id_prefix = "curves", .label = "Accuracy and loss per epoch"},
                    " wide");
  }
  if (!run.evaluation.confusion.empty()) {
    html += drawing("Confusion matrix",
                    "A row for each true class, a column for each predicted one: what lies off the "
                    "diagonal was taken for something else.",
                    confusion(run), {.id_prefix = "confusion", .label = "Confusion matrix"},
                    run.evaluation.confusion.size() > kRoomyMatrix ? " wide" : "");
  }
  return html;
}

}  // namespace

std::string html_report(const RunRecord& run) {
  const std::string title = html_escape(run.title.empty() ? "Training run" : run.title);
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>{} – engraft</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n"
      "<header>\n<p class=\"kicker\">engraft report</p>\n<h1>{}</h1>\n</header>\n",
      title, html_style(), title);
  html += headline(run);
  html += tiles(run.evaluation);
  html += notes(run);
  html += folds(run.fold_accuracies);
  html += drawings(run);
  html += class_table(run.evaluation.per_class);
  html += mistakes(run);
  html += predictions_drawn(run);
  html += facts(run.facts);
  html += problems(run.problems);
  html +=
      "<footer>Intervals are 95 % intervals from the number of pictures alone. Pictures taken in "
      "another place or light may be harder.</footer>\n</main>\n</body>\n</html>\n";
  return html;
}

}  // namespace engraft
