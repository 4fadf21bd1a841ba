#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "../support/test_data.h"
#include "engraft/base/file.h"
#include "engraft/base/hash.h"
#include "engraft/base/rng.h"
#include "engraft/zoo/download.h"
#include "local_server.h"

namespace engraft::test {

inline std::string content(std::uint64_t version, std::size_t size = 200'000) {
  Rng rng(version);
  std::string bytes(size, '\0');
  std::ranges::generate(bytes, [&] { return static_cast<char>(rng.next_u32() & 255); });
  return bytes;
}

inline std::string hex(const std::string& bytes) {
  return sha256(std::as_bytes(std::span(bytes))).hex();
}

/// A server that does everything right: ranges, If-Range, an ETag that follows the content.
inline void serve_rightly(const std::string& bytes, const Request& request,
                          const Connection& connection,
                          std::size_t stop_after = std::string::npos) {
  const std::string etag = fmt::format("\"{}\"", hex(bytes).substr(0, 8));
  const std::size_t first =
      request.header("if-range") == etag && request.range() < bytes.size() ? request.range() : 0;
  std::vector<std::string> lines{fmt::format("Content-Length: {}", bytes.size() - first),
                                 "ETag: " + etag};
  if (first > 0) {
    lines.push_back(
        fmt::format("Content-Range: bytes {}-{}/{}", first, bytes.size() - 1, bytes.size()));
  }
  connection.send(head(first > 0 ? "206 Partial Content" : "200 OK", lines));
  connection.send(std::string_view(bytes).substr(first, stop_after));
}

/// Remembers what it was shown.
class Recorder final : public Progress {
 public:
  void begin(std::string_view stage, std::int64_t total, std::string_view unit) override {
    stages.push_back(fmt::format("{} {} {}", stage, total, unit));
  }
  void update(std::int64_t count, std::string_view) override { done.push_back(count); }
  void end() override { ++ended; }
  void note(std::string_view line) override { notes.emplace_back(line); }

  std::vector<std::string> stages, notes;
  std::vector<std::int64_t> done;
  int ended = 0;
};

/// A folder to download into, and options that fail fast.
class DownloadTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_loopback()) GTEST_SKIP() << kNoLoopback;
    // A proxy of the machine's would stand between the test and its own server.
    for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
    options.stall = std::chrono::milliseconds(150);
    options.backoff = std::chrono::milliseconds(1);
  }

  void fetch(const std::string& url, const std::stop_token& stop = {}) {
    download(url, to, options, progress, stop);
  }

  /// The error of a download that must fail.
  Error failure(const std::string& url, const std::stop_token& stop = {}) {
    try {
      fetch(url, stop);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "the download succeeded";
    return {ErrorKind::kInternal, ""};
  }

  std::string file() const { return read_text_file(to); }
  /// Without printing hundreds of kilobytes when it does not.
  bool holds(const std::string& bytes) const { return file() == bytes; }
  std::filesystem::path part() const { return folder / "sub/weights.h5.part"; }
  std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(to.parent_path()))
      count += entry.exists();
    return count;
  }

  test::TemporaryFolder folder;
  std::filesystem::path to = folder / "sub/weights.h5";
  DownloadOptions options;
  Recorder progress;
};

}  // namespace engraft::test
