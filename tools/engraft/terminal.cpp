#include "terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "engraft/base/pace.h"
#include "engraft/base/utf8.h"

namespace engraft::cli {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kRedraw{80};
constexpr seconds kPlainLine{10};
constexpr int kBarCells = 24;

int terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string clock_text(double total_seconds) {
  const auto whole = static_cast<long>(total_seconds + 0.5);
  return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                       : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

/// A count with a unit; bytes in megabytes.
std::string amount(double value, std::string_view unit) {
  if (unit == "bytes") return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.0f} {}", value, unit);
}

std::string bar(double share) {
  const int filled = static_cast<int>(share * kBarCells);
  std::string cells;
  for (int i = 0; i < kBarCells; ++i) cells += i < filled ? "█" : "░";
  return cells;
}

/// The first `width` characters (not bytes) of UTF-8 text.
std::string clip(const std::string& text, int width) {
  int characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && ++characters > width) return text.substr(0, i);
  }
  return text;
}

}  // namespace

bool is_terminal(std::FILE* stream) {
  const char* term = std::getenv("TERM");
  return ::isatty(::fileno(stream)) == 1 && !(term && std::string_view(term) == "dumb");
}

std::string bold(std::string_view text, std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  if (!is_terminal(stream) || (no_color && *no_color)) return std::string(text);
  return fmt::format("\033[1m{}\033[0m", text);
}

void print_result(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error(ErrorKind::kIo,
                fmt::format("cannot write to standard output: {}", std::strerror(errno)));
  }
}

void print_aside(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
}

void print_error(std::string_view message) {
  std::string shown = "engraft: ";
  for (std::size_t begin = 0; begin <= message.size();) {
    const std::size_t end = std::min(message.find('\n', begin), message.size());
    shown += printable(message.substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  print_aside(shown);
}

TerminalProgress::TerminalProgress() : terminal_(is_terminal(stderr)) {}

TerminalProgress::~TerminalProgress() {
  if (active_ && terminal_)
    print_aside("\n");  // an error cut the stage short: leave its last state readable
}

void TerminalProgress::begin(std::string_view stage, std::int64_t total, std::string_view unit) {
  stage_ = stage;
  unit_ = unit;
  detail_.clear();
  total_ = total;
  done_ = skipped_ = 0;
  active_ = true;
  started_ = drawn_ = Clock::now();
  if (terminal_) {
    draw(started_);
  } else {
    print_aside(fmt::format(
        "{}{}\n", stage_,
        total_ > 0 ? ": " + amount(static_cast<double>(total_), unit_) : std::string()));
  }
}

void TerminalProgress::update(std::int64_t done, std::string_view detail) {
  done_ = done;
  detail_ = detail;
  const auto now = Clock::now();
  if (terminal_ ? now - drawn_ >= kRedraw : now - drawn_ >= kPlainLine) draw(now);
}

void TerminalProgress::skip(std::int64_t steps) {
  skipped_ += steps;
}

void TerminalProgress::end() {
  if (!active_) return;
  draw(Clock::now());
  if (terminal_) print_aside("\n");
  active_ = false;
}

void TerminalProgress::note(std::string_view text) {
  if (terminal_ && active_) print_aside("\r\033[K");
  print_aside(fmt::format("{}\n", text));
  if (terminal_ && active_) draw(Clock::now());
}

std::string TerminalProgress::line(Clock::time_point now) const {
  const double elapsed = duration<double>(now - started_).count();
  const Pace pace{.total = total_, .done = done_, .skipped = skipped_, .elapsed = elapsed};
  std::string text = stage_;
  if (total_ > 0) {
    const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
    if (terminal_) text += "  " + bar(share);
    text += unit_ == "bytes" ? fmt::format("  {} of {}", amount(static_cast<double>(done_), unit_),
                                           amount(static_cast<double>(total_), unit_))
                             : fmt::format("  {}/{}", done_, total_);
  } else {
    text += "  " + amount(static_cast<double>(done_), unit_);
  }
  const bool is_measured = pace.rate() > 0 && elapsed > 0.2;
  if (is_measured) text += fmt::format("  {}/s", amount(pace.rate(), unit_));
  if (pace.left() > 0) {
    text += "  " + clock_text(pace.left()) + " left";
  } else if (is_measured) {
    text += fmt::format("  {:.1f} s", elapsed);
  }
  if (!detail_.empty()) text += "  " + detail_;
  return text;
}

void TerminalProgress::draw(Clock::time_point now) {
  drawn_ = now;
  if (terminal_) {
    print_aside(fmt::format("\r\033[K{}", clip(line(now), terminal_width() - 1)));
  } else {
    print_aside(fmt::format("{}\n", line(now)));
  }
  std::fflush(stderr);
}

}  // namespace engraft::cli
