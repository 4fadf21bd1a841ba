#pragma once

#include <optional>
#include <span>

#include "engraft/run/material.h"

namespace engraft {

/// How well a head alone does on these samples, each judged by a head that has not seen it: what is
/// left for fine-tuning to gain. Of more samples than a few thousand, a draw of them. Nothing where
/// a class has too few pictures to be divided.
[[nodiscard]] std::optional<double> head_accuracy(const Material& material,
                                                  const TrainingRows& rows,
                                                  std::span<const std::size_t> samples,
                                                  const TrainOptions& options,
                                                  const std::stop_token& stop);

}  // namespace engraft
