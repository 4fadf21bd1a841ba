#include "engraft/data/listing.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <system_error>
#include <utility>

#include "engraft/base/error.h"
#include "engraft/base/utf8.h"
#include "engraft/image/decode.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxEntries = 5'000'000;
constexpr std::size_t kHeadBytes = 512;  // the brands of HEIC and AVIF may stand late in the header

bool is_ignored(std::string_view name) {
  constexpr std::array<std::string_view, 5> kFolders{"__MACOSX", "@eaDir", "$RECYCLE.BIN",
                                                     "System Volume Information", "lost+found"};
  return name.starts_with('.') ||
         std::find(kFolders.begin(), kFolders.end(), name) != kFolders.end();
}

class Walk {
 public:
  Walk(const fs::path& folder, Listing& listing) : root_(folder), listing_(listing) {}

  void enter(const std::string& relative) {
    const fs::path folder = relative.empty() ? root_ : root_ / relative;
    struct stat info {};
    if (::stat(folder.c_str(), &info) != 0) refuse(folder, std::strerror(errno));
    const std::pair identity{info.st_dev, info.st_ino};
    if (std::find(open_.begin(), open_.end(), identity) != open_.end()) return;
    if (open_.size() >= kMaxDepth) {
      throw Error(ErrorKind::kBadInput,
                  fmt::format("{}: more than {} folders deep; give a folder nearer to the pictures",
                              folder.string(), kMaxDepth));
    }
    open_.push_back(identity);
    for (const std::string& name : names_in(folder)) {
      visit(relative.empty() ? name : fmt::format("{}/{}", relative, name));
    }
    open_.pop_back();
  }

 private:
  [[noreturn]] static void refuse(const fs::path& folder, std::string_view why) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot read this folder: {}", folder.string(), why));
  }

  std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      std::string name = entry->path().filename().string();
      if (!is_ignored(name)) names.push_back(std::move(name));
      if (++entries_ > kMaxEntries) {
        throw Error(ErrorKind::kBadInput,
                    fmt::format("{}: more than {} files", root_.string(), kMaxEntries));
      }
    }
    if (error) refuse(folder, error.message());
    std::sort(names.begin(), names.end());
    return names;
  }

  void visit(const std::string& relative) {
    if (!is_printable(relative)) {
      listing_.problems.push_back({Problem::Kind::kBadName, printable(relative),
                                   "the name is not UTF-8 or holds control characters; rename it"});
      return;
    }
    std::error_code error;
    const fs::file_status status = fs::status(root_ / relative, error);
    if (fs::is_directory(status)) {
      listing_.folders.push_back(relative);
      enter(relative);
    } else if (fs::exists(status)) {
      listing_.files.push_back(relative);
    } else {
      listing_.problems.push_back(
          {Problem::Kind::kMissingFile, relative, "a link that leads to no file"});
    }
  }

  const fs::path& root_;
  Listing& listing_;
  std::vector<std::pair<dev_t, ino_t>> open_;
  std::size_t entries_ = 0;
};

}  // namespace

Listing list_folder(const fs::path& folder) {
  Listing listing;
  Walk(folder, listing).enter("");
  // Depth first is not yet by name: "a/x" comes before "a-b" there.
  std::sort(listing.files.begin(), listing.files.end());
  std::sort(listing.folders.begin(), listing.folders.end());
  std::stable_sort(listing.problems.begin(), listing.problems.end(),
                   [](const Problem& a, const Problem& b) { return a.where < b.where; });
  return listing;
}

std::string picture_objection(const fs::path& path) {
  std::error_code error;
  // Reading from a pipe or a device could wait for ever.
  if (!fs::is_regular_file(path, error)) return "is not a regular file";
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return fmt::format("cannot be opened: {}", std::strerror(errno));
  std::array<char, kHeadBytes> head{};
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  if (file.bad()) return "cannot be read";
  const auto got = static_cast<std::size_t>(file.gcount());
  if (got == 0) return "is empty";
  const auto bytes = std::as_bytes(std::span(head)).first(got);
  return image_format(bytes) == ImageFormat::kUnknown ? "is not a picture that engraft knows" : "";
}

bool is_side_file(std::string_view name) {
  constexpr std::array<std::string_view, 38> kExtensions{
      ".csv",  ".tsv",   ".txt",  ".json",   ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini",
      ".md",   ".rst",   ".html", ".htm",    ".css",   ".js",  ".pdf",  ".doc", ".docx", ".xls",
      ".xlsx", ".ods",   ".zip",  ".tar",    ".gz",    ".7z",  ".db",   ".log", ".lst",  ".names",
      ".py",   ".ipynb", ".sh",   ".sqlite", ".onnx",  ".h5",  ".npy",  ".info"};
  const std::size_t slash = name.rfind('/');
  const std::string base =
      lower_case(slash == std::string_view::npos ? name : name.substr(slash + 1));
  constexpr std::array<std::string_view, 5> kNames{"readme", "license", "licence", "makefile",
                                                   "dockerfile"};
  if (std::find(kNames.begin(), kNames.end(), base) != kNames.end()) return true;
  const std::size_t dot = base.rfind('.');
  const std::string extension = dot == std::string::npos ? "" : base.substr(dot);
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace engraft
