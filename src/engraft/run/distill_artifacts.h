#pragma once

#include <string>
#include <vector>

#include "engraft/run/distill_material.h"
#include "engraft/run/distill_networks.h"
#include "engraft/run/distill_run.h"
#include "engraft/run/run_folder.h"

namespace engraft {

/// The student as it is now, with the teacher's head and where it comes from, as request.out.
void write_student(const DistillRequest& request, const DistillNetworks& networks,
                   const DistillMaterial& material, const Distiller& distiller);

/// Writes args.json, results.csv, curves.png and report.html.
void write_distill_artifacts(const DistillRequest& request, const DistillNetworks& networks,
                             const DistillSummary& summary, const RunFolder& folder);

/// results.csv: a row an epoch; what was not looked at is empty.
[[nodiscard]] std::string distill_csv(const std::vector<DistillResult>& history);

}  // namespace engraft
