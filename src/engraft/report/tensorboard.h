#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace engraft {

/// One point of a curve: "loss/train", 0.25. Tags with a slash are grouped by what stands before
/// it.
struct Scalar {
  std::string tag;  ///< UTF-8, not empty
  float value = 0;
};

struct TensorBoardOptions {
  /// For a run that goes on from an earlier one's step: TensorBoard then forgets what the earlier
  /// one's files say of this step and later ones.
  std::optional<std::int64_t> resumed_at{};
  /// Seconds since 1970; the machine's clock where none is given.
  std::function<double()> clock{};
};

/// An event file as TensorBoard reads it, also while it grows: TFRecords of Event messages, each of
/// which is written at once and whole. A file that was cut off by a crash is readable up to there.
/// Sources: TensorFlow, core/lib/io/record_writer (length, masked CRC-32C of it, message, masked
/// CRC-32C of that) and tensorboard/compat/proto/event.proto.
class TensorBoardWriter {
 public:
  /// Makes folder/events.out.tfevents.SECONDS.engraft, and the folder if need be; never a file that
  /// is there already. Throws Error(kIo).
  explicit TensorBoardWriter(const std::filesystem::path& folder, TensorBoardOptions options = {});
  ~TensorBoardWriter();
  TensorBoardWriter(const TensorBoardWriter&) = delete;
  TensorBoardWriter& operator=(const TensorBoardWriter&) = delete;

  /// The values after so many steps or epochs; a tag should always count the same. Throws
  /// Error(kIo) when it cannot be written (the file then ends as before), Error(kUsage) for a tag
  /// that is empty or not UTF-8.
  void add(std::int64_t step, std::span<const Scalar> scalars);

  /// Where the file is, if nobody has moved it.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void open(const std::filesystem::path& folder);
  void write_record(const std::string& message);

  std::function<double()> clock_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;  ///< of the whole records
};

}  // namespace engraft
