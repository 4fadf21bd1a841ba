#pragma once

#include "commands.h"
#include "train_options.h"

namespace engraft::cli {

/// Trains, and prints the result. The request needs no base.
[[nodiscard]] int train(TrainRequest request, const TrainArguments& arguments,
                        const Command& command);

/// Runs what an unfinished run's own command line said, at the place where it was said. options:
/// the command as it was parsed.
[[nodiscard]] int resume_training(const CLI::App& options, const TrainArguments& given,
                                  const Command& command);

}  // namespace engraft::cli
