#include <fmt/format.h>

#include "engraft/report/distill_report.h"
#include "engraft/report/html_style.h"
#include "engraft/report/inline_svg.h"
#include "engraft/report/text.h"

namespace engraft {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string headline(const DistillRecord& record) {
  if (record.held_out == 0) return "";
  return fmt::format(
      "<section class=\"card\">\n<div class=\"headline\">\n"
      "<div class=\"figure-number number\">{}</div>\n<div class=\"text\">\n"
      "<p><strong>of {} pictures held out get the teacher's first answer</strong><br>"
      "95 % interval: <span class=\"number\">{}</span></p>\n"
      "<p class=\"muted small\">This is agreement, not accuracy: no picture has a label.</p>\n"
      "</div>\n</div>\n</section>\n",
      percent(record.agreement.value), record.held_out, interval(record.agreement));
}

std::string tile(std::string_view name, const Estimate& value, int n) {
  return fmt::format(
      "<div class=\"tile\"><div class=\"name\">{}</div><div class=\"value\">{}</div>"
      "<span class=\"interval\">{}, n = {}</span></div>\n",
      name, percent(value.value), interval(value), n);
}

std::string probes(const DistillRecord& record) {
  if (record.probed == 0) return "";
  return "<div class=\"tiles\">\n" +
         tile("Heads on the student's features", record.probe, record.probed) +
         tile("Heads on the teacher's", record.teacher_probe, record.probed) + "</div>\n";
}

std::string table(std::string_view heading, std::string_view css_class, const Rows& rows) {
  if (rows.empty()) return "";
  std::string html = fmt::format(
      "<section>\n<h2>{}</h2>\n<div class=\"card table\"><table class=\"{}\">\n<tbody>\n", heading,
      css_class);
  for (const auto& [name, value] : rows) {
    html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", html_escape(name),
                        html_escape(value));
  }
  return html + "</tbody></table></div>\n</section>\n";
}

std::string drawing(const DistillRecord& record) {
  if (record.points.empty()) return "";
  return fmt::format(
      "<section>\n<h2>Training</h2>\n<p class=\"muted small\">Views are close crops and mixtures, "
      "harder than the plain pictures held out. The probe is the accuracy of a linear head on the "
      "student's features, in five folds.</p>\n<div class=\"drawing "
      "wide\">\n{}</div>\n</section>\n",
      inline_svg(to_svg(distill_curves(record)),
                 {.id_prefix = "curves", .label = "Agreement, probe and loss per epoch"}));
}

}  // namespace

std::string distill_page(const DistillRecord& record) {
  const std::string title = html_escape(record.title);
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>{} – engraft</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n"
      "<header>\n<p class=\"kicker\">engraft distillation</p>\n<h1>{}</h1>\n</header>\n",
      title, html_style(), title);
  html += headline(record) + probes(record);
  if (!record.notes.empty()) {
    html += "<section class=\"notes\" aria-label=\"Notes\">\n";
    for (const std::string& note : record.notes) {
      html += fmt::format("<p>{}</p>\n", html_escape(note));
    }
    html += "</section>\n";
  }
  html += drawing(record) + table("The run", "facts", record.facts) +
          table("Problems in the data", "problems", record.problems);
  return html +
         "<footer>Intervals are 95 % intervals from the number of pictures alone.</footer>\n"
         "</main>\n</body>\n</html>\n";
}

}  // namespace engraft
