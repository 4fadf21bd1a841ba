#include "engraft/train/checkpoint_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <functional>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/utf8.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".safetensors";
constexpr std::string_view kResult = "result";
constexpr std::string_view kPart = ".part";
constexpr std::size_t kLongestPhase = 100;

bool is_phase(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= kLongestPhase && text.front() != '.' &&
         std::ranges::all_of(text, allowed);
}

void require_phase(const std::string& phase) {
  if (is_phase(phase)) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("\"{}\" cannot name a phase of a run: up to {} letters, digits, '-', "
                          "'_' and '.', not a '.' first",
                          printable(phase.substr(0, kLongestPhase)), kLongestPhase));
}

std::string checkpoint_name(std::string_view phase, std::int64_t step) {
  return fmt::format("{}-{:06}{}", phase, step, kEnding);
}

std::string result_name(std::string_view phase) {
  return fmt::format("{}-{}{}", phase, kResult, kEnding);
}

/// Which file of ours a name stands for.
struct OwnName {
  std::string phase;
  std::optional<std::int64_t> step;  ///< none: the phase's result
};

/// Nothing for a name that is not exactly what this file would write.
std::optional<OwnName> parse(const std::string& name) {
  if (!name.ends_with(kEnding)) return std::nullopt;
  const std::string_view stem = std::string_view(name).substr(0, name.size() - kEnding.size());
  const std::size_t dash = stem.rfind('-');
  if (dash == std::string_view::npos || !is_phase(stem.substr(0, dash))) return std::nullopt;
  OwnName own{.phase = std::string(stem.substr(0, dash)), .step = {}};
  const std::string_view last = stem.substr(dash + 1);
  if (last == kResult) return own;
  std::int64_t step = 0;
  if (std::from_chars(last.data(), last.data() + last.size(), step).ec != std::errc() || step < 0 ||
      checkpoint_name(own.phase, step) != name) {
    return std::nullopt;
  }
  own.step = step;
  return own;
}

/// Takes ".NUMBER" off the end of a text.
std::optional<std::int64_t> take_number(std::string_view& text) {
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view digits = text.substr(dot + 1);
  std::int64_t number = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || number < 0) {
    return std::nullopt;
  }
  text = text.substr(0, dot);
  return number;
}

/// Whether a name is what AtomicFile gives to one of our files while it is written
/// (".FILE.PROCESS.SERIAL.part"), by a process that is gone or by this one, which does not write
/// just now.
bool is_abandoned(std::string_view name) {
  if (!name.starts_with('.') || !name.ends_with(kPart)) return false;
  name = name.substr(1, name.size() - 1 - kPart.size());
  if (!take_number(name)) return false;
  const auto process = take_number(name);
  if (!process || *process < 1 || *process > std::numeric_limits<::pid_t>::max() ||
      !parse(std::string(name))) {
    return false;
  }
  const auto id = static_cast<::pid_t>(*process);
  return id == ::getpid() || (::kill(id, 0) != 0 && errno == ESRCH);
}

/// Calls use(entry, name) for what is in a folder; for nothing where there is no such folder.
template <typename Use>
void for_each_entry(const fs::path& folder, const Use& use) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (status.type() == fs::file_type::not_found) return;
  if (!error && status.type() != fs::file_type::directory) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: is no folder, so it holds no checkpoints; give the folder of a "
                            "run that was stopped",
                            folder.string()));
  }
  fs::directory_iterator entry(folder, error);
  for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
    use(*entry, entry->path().filename().string());
  }
  if (error) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot be listed: {}", folder.string(), error.message()));
  }
}

/// A checkpoint of a phase.
struct Saved {
  std::int64_t step = 0;
  fs::path path;
};

/// Newest first.
std::vector<Saved> checkpoints_of(const fs::path& folder, const std::string& phase) {
  std::vector<Saved> saved;
  for_each_entry(folder, [&](const fs::directory_entry& entry, const std::string& name) {
    const auto own = parse(name);
    if (own && own->step && own->phase == phase) saved.push_back({*own->step, entry.path()});
  });
  std::ranges::sort(saved, std::greater(), &Saved::step);
  return saved;
}

/// Never a folder or a link that somebody gave such a name.
bool is_plain_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(fs::symlink_status(path, ignored));
}

void remove_quietly(const fs::path& path) {
  std::error_code ignored;
  if (is_plain_file(path)) fs::remove(path, ignored);
}

void remove_abandoned(const fs::path& folder) {
  try {
    for_each_entry(folder, [&](const fs::directory_entry& entry, const std::string& name) {
      if (is_abandoned(name)) remove_quietly(entry.path());
    });
  } catch (const Error&) {  // writing there will say what is wrong
  }
}

/// For writing, which can do without knowing them: none where the folder cannot be listed.
std::vector<Saved> known_checkpoints_of(const fs::path& folder, const std::string& phase) {
  try {
    return checkpoints_of(folder, phase);
  } catch (const Error&) {
    return {};
  }
}

/// Writes one of our files. kept: what of the phase is there already, for the message if it fails.
void write(const fs::path& path, const SafetensorsFile& file, const std::string& kept) {
  try {
    write_safetensors(path, file);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kIo) throw;
    std::string what = error.what();
    if (!what.starts_with(path.string() + ": ")) what = path.string() + ": " + what;
    throw Error(
        ErrorKind::kIo,
        fmt::format("{}; {}: make room or allow writing there, then resume the run", what, kept));
  }
}

std::string kept_text(const std::vector<Saved>& saved) {
  if (saved.empty()) return "there is no earlier checkpoint of this phase";
  return fmt::format("the earlier checkpoint {} is kept", saved.front().path.filename().string());
}

/// What to say of checkpoints that could not be read.
std::string listed(const std::vector<std::string>& reasons) {
  return fmt::format("{}", fmt::join(reasons, "; "));
}

}  // namespace

void CheckpointFolder::save(const std::string& phase, const Checkpoint& checkpoint,
                            const CheckpointLayout& layout) {
  require_phase(phase);
  save(phase, checkpoint.state.step, to_safetensors(checkpoint, layout));
}

void CheckpointFolder::save(const std::string& phase, std::int64_t step,
                            const SafetensorsFile& file) {
  require_phase(phase);
  remove_abandoned(folder_);
  write(folder_ / checkpoint_name(phase, step), file,
        kept_text(known_checkpoints_of(folder_, phase)));
  // Those of later steps were left behind when an earlier one was gone back to.
  bool has_earlier = false;
  for (const Saved& saved : known_checkpoints_of(folder_, phase)) {
    const bool keep = saved.step == step || (saved.step < step && !has_earlier);
    has_earlier = has_earlier || saved.step < step;
    if (!keep) remove_quietly(saved.path);
  }
}

std::optional<FoundFile> CheckpointFolder::latest(const std::string& phase,
                                                  const Check& check) const {
  require_phase(phase);
  std::vector<std::string> reasons;
  for (const Saved& saved : checkpoints_of(folder_, phase)) {
    try {
      FoundFile found{.file = read_safetensors(saved.path, DigestRule::kRequired),
                      .step = saved.step,
                      .path = saved.path,
                      .warning = {}};
      check(found);
      if (!reasons.empty()) {
        found.warning =
            fmt::format("{}; went back to {}", listed(reasons), saved.path.filename().string());
      }
      return found;
    } catch (const Error& error) {
      reasons.emplace_back(error.what());
    }
  }
  if (reasons.empty()) return std::nullopt;
  throw Error(ErrorKind::kBadInput,
              fmt::format("{}: no checkpoint of {} can be read; begin that run anew: {}",
                          folder_.string(), phase, listed(reasons)));
}

std::optional<FoundCheckpoint> CheckpointFolder::latest(const std::string& phase,
                                                        const CheckpointLayout& layout) const {
  Checkpoint checkpoint;
  auto found = latest(phase, [&](const FoundFile& file) {
    const std::string name = file.path.string();
    checkpoint = checkpoint_from(file.file, layout, name);
    if (checkpoint.state.step == file.step) return;
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: is the checkpoint of step {}", name, checkpoint.state.step));
  });
  if (!found) return std::nullopt;
  return FoundCheckpoint{.checkpoint = std::move(checkpoint),
                         .path = std::move(found->path),
                         .warning = std::move(found->warning)};
}

void CheckpointFolder::save_result(const std::string& phase, const SafetensorsFile& result) {
  require_phase(phase);
  remove_abandoned(folder_);
  const std::vector<Saved> checkpoints = known_checkpoints_of(folder_, phase);
  write(result_path(phase), result, kept_text(checkpoints));
  for (const Saved& saved : checkpoints) remove_quietly(saved.path);
}

fs::path CheckpointFolder::result_path(const std::string& phase) const {
  return folder_ / result_name(phase);
}

std::optional<SafetensorsFile> CheckpointFolder::result(const std::string& phase) const {
  require_phase(phase);
  const std::string wanted = result_name(phase);
  bool found = false;
  for_each_entry(folder_, [&](const fs::directory_entry&, const std::string& name) {
    found = found || name == wanted;
  });
  if (!found) return std::nullopt;
  try {
    return read_safetensors(folder_ / wanted, DigestRule::kRequired);
  } catch (const Error& error) {
    throw Error(error.kind(),
                fmt::format("{}; remove it, and {} is run again", error.what(), phase));
  }
}

void CheckpointFolder::remove_all() {
  std::vector<fs::path> own;
  for_each_entry(folder_, [&](const fs::directory_entry& entry, const std::string& name) {
    if ((parse(name) || is_abandoned(name)) && is_plain_file(entry.path())) {
      own.push_back(entry.path());
    }
  });
  for (const fs::path& path : own) {
    std::error_code error;
    fs::remove(path, error);
    if (error) {
      throw Error(ErrorKind::kIo,
                  fmt::format("{}: cannot be removed: {}", path.string(), error.message()));
    }
  }
}

}  // namespace engraft
