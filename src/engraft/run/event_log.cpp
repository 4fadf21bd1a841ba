#include "engraft/run/event_log.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "engraft/base/error.h"

namespace engraft {

namespace fs = std::filesystem;

void EventLog::open(const std::string& training) {
  writer_.reset();
  if (!folder_) return;
  writer_.emplace(*folder_ / training, TensorBoardOptions{.resumed_at = 1, .clock = {}});
}

void EventLog::add(const EpochResult& epoch, int before) {
  if (!writer_) return;
  std::vector<Scalar> scalars;
  const auto put = [&](const char* tag, float value) {
    if (!std::isnan(value)) scalars.push_back({.tag = tag, .value = value});
  };
  put("loss/train", epoch.train_loss);
  put("loss/val", epoch.val_loss);
  put("accuracy/train", epoch.train_accuracy);
  put("accuracy/val", epoch.val_accuracy);
  put("rate", epoch.learning_rate);
  writer_->add(epoch.epoch + before, scalars);
}

void copy_events(const fs::path& from, const fs::path& to) {
  if (!fs::exists(from)) return;
  try {
    fs::copy(from, to, fs::copy_options::recursive);
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::kIo, fmt::format("{}: cannot be copied into the run folder: {}",
                                            error.path1().string(), error.code().message()));
  }
}

}  // namespace engraft
