#include "engraft/zoo/download.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "engraft/base/file.h"
#include "engraft/base/hash.h"
#include "engraft/base/utf8.h"
#include "engraft/zoo/part_file.h"
#include "engraft/zoo/transfer.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLongestPause{30'000};
constexpr milliseconds kLockPoll{50};
constexpr milliseconds kProgressInterval{50};

/// Returns early, by throwing, when a stop is requested.
void pause(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, time, [] { return false; });
  throw_if_stopped(stop);
}

[[noreturn]] void fail(const std::string& url, const std::string& why) {
  throw Error(ErrorKind::kNetwork, printable(fmt::format("{}: {}", url, why)));
}

fs::path pin_of(fs::path to) {
  to += ".sha256";
  return to;
}

/// TO.sha256 in the form of sha256sum: "HEX  NAME". Nothing if there is no such file.
std::optional<std::string> read_pin(const fs::path& pin) {
  std::string text;
  try {
    text = read_text_file(pin, 1 << 12);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound) return std::nullopt;
    throw;
  }
  const std::string hex = text.substr(0, text.find_first_of(" \t\r\n"));
  const bool valid = hex.size() == 64 && std::ranges::all_of(hex, [](unsigned char c) {
                       return std::isdigit(c) || (c >= 'a' && c <= 'f');
                     });
  if (!valid) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: does not begin with a SHA-256 of 64 lower-case digits; remove it "
                            "to trust the next download",
                            pin.string()));
  }
  return hex;
}

/// Shows one download, whatever the number of attempts, as one stage.
class Display {
 public:
  Display(Progress& progress, std::string name) : progress_(progress), name_(std::move(name)) {}
  ~Display() {
    if (begun_) progress_.end();
  }
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;

  void total(std::int64_t bytes) {
    if (begun_ && bytes == total_) return;
    if (begun_) progress_.end();
    begun_ = true;
    total_ = bytes;
    progress_.begin(fmt::format("downloading {}", name_), std::max<std::int64_t>(bytes, 0),
                    "bytes");
  }
  void done(std::int64_t bytes) {
    const auto now = Clock::now();
    if (bytes != total_ && now - shown_ < kProgressInterval) return;
    shown_ = now;
    progress_.update(bytes);
  }
  void note(const std::string& line) { progress_.note(line); }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Whether a server has begun to send the file.
  [[nodiscard]] bool begun() const { return begun_; }

 private:
  Progress& progress_;
  std::string name_;
  bool begun_ = false;
  std::int64_t total_ = -2;
  Clock::time_point shown_{};
};

/// One attempt's response: decides what the bytes are before any is written.
class Response final : public TransferSink {
 public:
  Response(const std::string& url, const DownloadOptions& options, PartFile& part, Display& display)
      : url_(url), options_(options), part_(part), display_(display) {}

  bool head(const ResponseHead& head) override {
    status_ = head.status;
    if (status_ != 200 && status_ != 206) return false;
    if (head.encoded) fail(url_, "the server compressed the file though it was not asked to");
    if (head.total > options_.max_bytes) fail_too_large(head.total);
    if (status_ == 206) {
      if (!continues_part(head)) {
        problem_ = "the server sent another part of the file than was asked for";
        return false;
      }
    } else {
      if (!head.framed) {
        fail(url_, "the server announces no length, so that a whole file cannot be told from half");
      }
      part_.begin({url_, head.etag, head.modified, head.total});
    }
    total_ = head.total;
    display_.total(total_);
    return true;
  }

  void data(std::span<const std::byte> bytes) override {
    const auto size = part_.size() + static_cast<std::int64_t>(bytes.size());
    if (size > options_.max_bytes) fail_too_large(size);
    part_.append(bytes);
    display_.done(part_.size());
  }

  [[nodiscard]] long status() const { return status_; }
  [[nodiscard]] std::int64_t total() const { return total_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  [[nodiscard]] static bool agree(const std::string& before, const std::string& now) {
    return before.empty() || now.empty() || before == now;
  }

  [[nodiscard]] bool continues_part(const ResponseHead& head) const {
    const PartState& state = part_.state();
    return head.first == part_.size() && part_.size() > 0 &&
           (state.total < 0 || head.total == state.total) && agree(state.etag, head.etag) &&
           agree(state.modified, head.modified);
  }

  [[noreturn]] void fail_too_large(std::int64_t bytes) const {
    part_.remove();
    fail(url_, fmt::format("has {} bytes or more; the limit is {}", bytes, options_.max_bytes));
  }

  const std::string& url_;
  const DownloadOptions& options_;
  PartFile& part_;
  Display& display_;
  long status_ = 0;
  std::int64_t total_ = -1;
  std::string problem_;
};

bool is_passing_status(long status) {
  return status >= 500 || status == 408 || status == 425 || status == 429;
}

/// What another attempt is worth.
struct Outcome {
  enum class Next { kWhole, kRetry, kUnreachable };
  Next next = Next::kWhole;
  std::string problem;
};

/// What a response other than 200 and 206, or one that does not fit the part, leads to.
Outcome after_refusal(const std::string& url, const Response& response, PartFile& part) {
  if (!response.problem().empty() || response.status() == 416) {
    part.discard();
    return {Outcome::Next::kRetry, response.problem().empty()
                                       ? "the server says that it has no such part of the file"
                                       : response.problem()};
  }
  const std::string answer = fmt::format("the server answered {}", response.status());
  if (!is_passing_status(response.status())) fail(url, answer);
  return {Outcome::Next::kRetry, answer};
}

Outcome after_complete(const Response& response, PartFile& part) {
  if (response.total() >= 0 && part.size() != response.total()) {
    std::string why =
        fmt::format("{} bytes came, {} were announced", part.size(), response.total());
    part.discard();
    return {Outcome::Next::kRetry, std::move(why)};
  }
  if (part.size() == 0) return {Outcome::Next::kRetry, "the server sent an empty file"};
  return {};
}

struct Source {
  const std::string& url;
  const DownloadOptions& options;
  milliseconds answer;  ///< how long the server may take to begin its answer
};

Outcome attempt(const Source& source, PartFile& part, Display& display,
                const std::stop_token& stop) {
  const auto& [url, options, answer] = source;
  const PartState& state = part.state();
  const bool known = part.size() > 0 && state.url == url;
  if (known && part.size() == state.total) return {};  // killed between the last byte and the name
  const bool resumable =
      known && !state.validator().empty() && (state.total < 0 || part.size() < state.total);
  if (!resumable) part.discard();
  TransferRequest request;
  request.url = url;
  request.offset = part.size();
  request.if_range = state.validator();
  request.stall = options.stall;
  request.answer = answer;
  Response response(url, options, part, display);
  const TransferResult result = transfer(request, response, stop);

  using End = TransferResult::End;
  switch (result.end) {
    case End::kComplete:
      return after_complete(response, part);
    case End::kRefused:
      return after_refusal(url, response, part);
    case End::kFailed:
      fail(url, result.reason);
    case End::kStopped:
      throw_if_stopped(stop);
      break;
    case End::kUnreachable:
      return {Outcome::Next::kUnreachable, result.reason};
    case End::kCutOff:
    case End::kStalled:
      break;
  }
  return {Outcome::Next::kRetry, part.size() > 0
                                     ? fmt::format("{} after {} bytes", result.reason, part.size())
                                     : result.reason};
}

/// The bytes are all there: compare with the pin, or pin them, and give them their name.
void accept(const std::string& url, const fs::path& to, PartFile& part) {
  const fs::path pin = pin_of(to);
  const std::string digest = part.digest().hex();
  const auto pinned = read_pin(pin);
  if (pinned && *pinned != digest) {
    part.remove();
    fail(url, fmt::format("the content is not what it was: its SHA-256 is {}, but {} was pinned in "
                          "{} by the first download; remove that file only if you trust the new "
                          "content",
                          digest, *pinned, pin.string()));
  }
  // Pinned before the name is given: a file under its final name always has its digest beside it.
  if (!pinned) write_file_atomic(pin, fmt::format("{}  {}\n", digest, to.filename().string()));
  part.finish();
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// Waits for other downloads of the same file. False if the file is there in the end.
bool lock_unless_there(PartFile& part, const fs::path& to, Display& display,
                       const std::stop_token& stop) {
  for (bool told = false; !part.try_lock();) {
    if (is_there(to)) return false;
    if (!told) display.note("another process is downloading the same file: waiting for it");
    told = true;
    pause(kLockPoll, stop);
  }
  if (!is_there(to)) return true;
  part.remove();
  return false;
}

void require_http(const std::string& url) {
  if (is_http_url(url)) return;
  throw Error(ErrorKind::kUsage, fmt::format("{}: not an http or https address", url));
}

/// Attempts until the part is whole, the first of them already made.
void complete(const Source& source, const Outcome& first, PartFile& part, Display& display,
              const std::stop_token& stop) {
  const DownloadOptions& options = source.options;
  milliseconds wait = options.backoff;
  bool reached = false;
  Outcome outcome = first;
  for (int number = 1; outcome.next != Outcome::Next::kWhole; ++number) {
    reached = reached || outcome.next == Outcome::Next::kRetry;
    // A machine without a network should hear so at once, not after every attempt.
    const int attempts = reached ? options.attempts : std::min(2, options.attempts);
    if (number >= attempts) {
      fail(source.url, fmt::format("{} (attempt {} of {})", outcome.problem, number, attempts));
    }
    display.note(fmt::format("{}: {}; trying again ({} of {})", display.name(), outcome.problem,
                             number + 1, attempts));
    pause(wait, stop);
    wait = std::min(wait * 2, kLongestPause);
    outcome = attempt(source, part, display, stop);
  }
}

}  // namespace

bool is_http_url(std::string_view text) {
  const auto begins = [&](std::string_view scheme) {
    return text.size() > scheme.size() &&
           std::ranges::equal(text.substr(0, scheme.size()), scheme,
                              [](unsigned char a, char b) { return std::tolower(a) == b; });
  };
  return begins("http://") || begins("https://");
}

void download(const std::string& url, const fs::path& to, const DownloadOptions& options,
              Progress& progress, const std::stop_token& stop) {
  require_http(url);
  throw_if_stopped(stop);
  if (is_there(to)) return;
  (void)read_pin(pin_of(to));  // a damaged one is said before, not after, a long download
  PartFile part(to);
  Display display(progress, to.filename().string());
  if (!lock_unless_there(part, to, display, stop)) return;
  const Source source{.url = url, .options = options, .answer = options.stall};
  complete(source, attempt(source, part, display, stop), part, display, stop);
  accept(url, to, part);
}

std::optional<std::string> download_if_reachable(const std::string& url, const fs::path& to,
                                                 const DownloadOptions& options,
                                                 milliseconds patience, Progress& progress,
                                                 const std::stop_token& stop) {
  require_http(url);
  throw_if_stopped(stop);
  if (is_there(to)) return std::nullopt;
  (void)read_pin(pin_of(to));
  PartFile part(to);
  Display display(progress, to.filename().string());
  if (!lock_unless_there(part, to, display, stop)) return std::nullopt;
  const Source source{.url = url, .options = options, .answer = patience};
  const bool resuming = part.size() > 0;
  Outcome first;
  try {
    first = attempt(source, part, display, stop);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNetwork || display.begun()) throw;
    const std::string_view what = error.what();  // "URL: why"
    const std::string head = printable(url) + ": ";
    return std::string(what.starts_with(head) ? what.substr(head.size()) : what);
  }
  const bool refused_part = resuming && part.size() == 0;  // an answer: worth asking anew
  if (first.next != Outcome::Next::kWhole && !display.begun() && !refused_part) {
    return printable(first.problem);
  }
  complete(source, first, part, display, stop);
  accept(url, to, part);
  return std::nullopt;
}

}  // namespace engraft
