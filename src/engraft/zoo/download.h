#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "engraft/base/progress.h"

namespace engraft {

struct DownloadOptions {
  int attempts = 5;                         ///< a cut-off transfer resumes where it stopped
  std::chrono::milliseconds stall{20'000};  ///< no byte for so long counts as cut off
  std::chrono::milliseconds backoff{500};   ///< before the second attempt; doubles, up to 30 s
  std::int64_t max_bytes = std::int64_t{1} << 30;
};

/// True for http:// and https:// addresses, the only ones that download() takes.
[[nodiscard]] bool is_http_url(std::string_view text);

/// Fetches url into `to`; does nothing if that file is there. Missing folders are made.
///
/// Bytes gather in to + ".part" (kept when cut off, so that a later call resumes; what they are the
/// beginning of stands in to + ".part.state") and take the final name only when complete: the
/// announced length is met and the digest agrees. A transfer is resumed only where the server says
/// that the content is still the same; otherwise it begins anew. The SHA-256 of the first download
/// is pinned in to + ".sha256"; a later download that differs is removed and refused. Two processes
/// that want the same file take turns, and the second finds it there.
///
/// Redirects are followed, but from https only to https, and never to another protocol.
/// Errors: kUsage for another kind of address; kNetwork when it could not be had, saying why; kIo
/// when it cannot be written; kCancelled once `stop` is requested.
void download(const std::string& url, const std::filesystem::path& to,
              const DownloadOptions& options, Progress& progress, const std::stop_token& stop = {});

/// As download(), but that nothing of the file could be had is an answer, and a quick one: why, in
/// one phrase; nothing where the file is there. One attempt, in which the server has to begin its
/// answer within `patience`. Once it has begun to send, all is as with download().
[[nodiscard]] std::optional<std::string> download_if_reachable(
    const std::string& url, const std::filesystem::path& to, const DownloadOptions& options,
    std::chrono::milliseconds patience, Progress& progress, const std::stop_token& stop = {});

}  // namespace engraft
