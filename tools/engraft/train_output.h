#pragma once

#include "engraft/run/train_run.h"

namespace engraft::cli {

void print_json(const TrainSummary& summary);
void print_for_people(const TrainSummary& summary);

}  // namespace engraft::cli
