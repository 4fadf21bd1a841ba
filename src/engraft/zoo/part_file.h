#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>

#include "engraft/base/hash.h"

namespace engraft {

/// Which content a part file is the beginning of.
struct PartState {
  std::string url;
  std::string etag;         ///< strong, with quotes; may be empty
  std::string modified;     ///< Last-Modified; may be empty
  std::int64_t total = -1;  ///< bytes of the whole; -1: unknown
  /// What If-Range takes: nothing else makes resuming safe. Empty: the part cannot be continued.
  [[nodiscard]] const std::string& validator() const { return etag.empty() ? modified : etag; }
  bool operator==(const PartState&) const = default;
};

/// TO.part: the bytes of a download so far, with an exclusive lock on them for as long as the
/// object lives (the system drops it when the process dies), and TO.part.state beside it. An
/// empty one is removed in the end. Errors: kIo with the path.
class PartFile {
 public:
  explicit PartFile(std::filesystem::path to);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  /// Tries to get the lock; false while another process (or thread) has it.
  [[nodiscard]] bool try_lock();

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] const PartState& state() const { return state_; }

  /// Empties the file: what follows is the beginning of that content.
  void begin(const PartState& state);
  /// Empties the file and forgets what it was.
  void discard();
  void append(std::span<const std::byte> bytes);
  [[nodiscard]] Digest digest() const;
  /// Makes the bytes durable, gives them the final name, drops the state and gives the lock back.
  void finish();
  /// Removes the file and its state, and gives the lock back.
  void remove();

 private:
  void unlock();
  void read_state();

  std::filesystem::path to_, part_, state_file_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
  PartState state_;
};

}  // namespace engraft
