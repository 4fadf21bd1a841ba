#pragma once

#include <string>

#include "engraft/report/run_record.h"

namespace engraft {

/// One self-contained HTML 5 page: no script, no link to anything outside, light and dark. It says
/// itself what one mistake is worth; RunRecord::notes come on top. Every text from outside is
/// escaped, and what is not UTF-8 in it becomes '?'.
[[nodiscard]] std::string html_report(const RunRecord& run);

}  // namespace engraft
