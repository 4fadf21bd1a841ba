#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "distill_options.h"
#include "options.h"
#include "terminal.h"

namespace engraft::cli {

void print_json(const DistillSummary& s) {
  const auto estimate = [](const Estimate& e, std::size_t n) {
    return n == 0 ? nlohmann::ordered_json()
                  : nlohmann::ordered_json{
                        {"value", e.value}, {"interval", {e.low, e.high}}, {"n", n}};
  };
  print_result(nlohmann::ordered_json{{"model", s.model.string()},
                                      {"run", s.run.string()},
                                      {"pictures", s.pictures},
                                      {"agreement", estimate(s.agreement, s.held_out)},
                                      {"probe", estimate(s.probe, s.probed)},
                                      {"teacher_probe", estimate(s.teacher_probe, s.probed)},
                                      {"epochs", s.history.size()},
                                      {"views_per_second", s.views_per_second},
                                      {"seconds", s.seconds},
                                      {"notes", s.notes}}
                   .dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
               "\n");
}

void print_for_people(const DistillSummary& s) {
  const auto text = [](const Estimate& e, std::size_t n) {
    return percent({e.value, e.low, e.high}) + fmt::format(", n = {}", n);
  };
  std::string shown = fmt::format("Learnt from {} pictures in {} epochs, {:.0f} views a second.\n",
                                  s.pictures, s.history.size(), s.views_per_second);
  if (s.held_out > 0) {
    shown +=
        fmt::format("Agrees with the teacher on {} (held out).\n", text(s.agreement, s.held_out));
  }
  if (s.probed > 0) {
    shown += fmt::format("A head on its features gets {} right; on the teacher's {}.\n",
                         text(s.probe, s.probed), text(s.teacher_probe, s.probed));
  }
  for (const std::string& note : s.notes) shown += note + "\n";
  shown += fmt::format("\nModel   {}\nReport  {}\nTime    {:.1f} s\n", s.model.string(),
                       (s.run / "report.html").string(), s.seconds);
  if (!s.earlier.empty())
    shown += fmt::format("The earlier run is kept as {}\n", s.earlier.string());
  print_result(shown);
}

}  // namespace engraft::cli
