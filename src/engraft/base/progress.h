#pragma once

#include <cstdint>
#include <stop_token>
#include <string_view>

#include "engraft/base/error.h"

namespace engraft {

/// How long work tells how far it is, without printing. Calls come from one thread at a time.
class Progress {
 public:
  virtual ~Progress() = default;
  /// A new stage ("reading pictures") of total steps in the given unit ("pictures"); total 0 when
  /// it is unknown.
  virtual void begin(std::string_view stage, std::int64_t total, std::string_view unit) = 0;
  /// done of the stage's steps are finished; detail is what to show beside them ("loss 0.12").
  virtual void update(std::int64_t done, std::string_view detail = {}) = 0;
  /// So many of the stage's steps need not be done (an earlier process did them, say): they count
  /// among those finished, and for no rate.
  virtual void skip(std::int64_t /*steps*/) {}
  virtual void end() = 0;
  /// A line worth reading that is neither progress nor failure.
  virtual void note(std::string_view line) = 0;
};

/// Shows nothing.
class NoProgress final : public Progress {
 public:
  void begin(std::string_view, std::int64_t, std::string_view) override {}
  void update(std::int64_t, std::string_view) override {}
  void end() override {}
  void note(std::string_view) override {}
};

/// Throws Error(kCancelled) once a stop has been requested.
inline void throw_if_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(ErrorKind::kCancelled, "stopped on request");
}

}  // namespace engraft
