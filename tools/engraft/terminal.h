#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "engraft/base/progress.h"

namespace engraft::cli {

/// True where colours and redrawing make sense: a terminal, not "dumb".
[[nodiscard]] bool is_terminal(std::FILE* stream);

/// text in bold, or as it is where the stream is no terminal or NO_COLOR is set.
[[nodiscard]] std::string bold(std::string_view text, std::FILE* stream = stdout);

/// Prints text on standard output. Throws Error(kIo) if it cannot be written (a closed pipe, a full
/// disk).
void print_result(std::string_view text);

/// Prints text on standard error as it is. Where that cannot be written, nobody wants to know.
void print_aside(std::string_view text);

/// "engraft: message" on standard error; names in it cannot drive the terminal.
void print_error(std::string_view message);

/// Progress on standard error: on a terminal a bar with rate and time left, redrawn in place;
/// elsewhere a plain line when a stage begins, now and then, and when it ends.
class TerminalProgress final : public Progress {
 public:
  TerminalProgress();
  ~TerminalProgress() override;
  void begin(std::string_view stage, std::int64_t total, std::string_view unit) override;
  void update(std::int64_t done, std::string_view detail) override;
  void skip(std::int64_t steps) override;
  void end() override;
  void note(std::string_view line) override;

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::string line(Clock::time_point now) const;
  void draw(Clock::time_point now);

  bool terminal_;
  bool active_ = false;
  std::string stage_, unit_, detail_;
  std::int64_t total_ = 0, done_ = 0, skipped_ = 0;
  Clock::time_point started_, drawn_;
};

}  // namespace engraft::cli
