#pragma once

#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>

#include "engraft/base/progress.h"

namespace engraft {

struct DownloadOptions {
  int attempts = 5;                        ///< a cut-off transfer resumes where it stopped
  std::chrono::seconds stall{20};          ///< no byte for so long counts as cut off
  std::chrono::milliseconds backoff{500};  ///< before the second attempt; doubles
  std::int64_t max_bytes = std::int64_t{1} << 30;
};

/// Fetches url into `to`. Bytes gather in to + ".part" (kept when cut off, so that a later call
/// resumes) and take the final name only when complete: the announced length is met and the digest
/// agrees. The SHA-256 of the first download is pinned in to + ".sha256"; a later download that
/// differs is refused. Throws Error(kNetwork) or, when stopped, Error(kCancelled).
void download(const std::string& url, const std::filesystem::path& to,
              const DownloadOptions& options, Progress& progress, const std::stop_token& stop = {});

}  // namespace engraft
