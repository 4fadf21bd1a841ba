#pragma once

#include <string>

#include "engraft/report/run_record.h"

namespace engraft {

/// One self-contained page: no script, no link to anything outside. Every text from outside is
/// escaped.
[[nodiscard]] std::string html_report(const RunRecord& run);

}  // namespace engraft
