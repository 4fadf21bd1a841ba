#include "engraft/report/tensorboard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <tensorboard.pb.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "engraft/base/crc32c.h"
#include "engraft/base/error.h"
#include "engraft/base/utf8.h"

namespace engraft {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "records are little-endian");

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

[[noreturn]] void fail(const fs::path& path, std::string_view doing, int error) {
  throw Error(ErrorKind::kIo,
              fmt::format("{}: {}: {}", path.string(), doing, std::strerror(error)));
}

/// The checksum as records carry it, so that one over data with checksums in it is not weak.
std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(std::as_bytes(std::span(bytes))), 15) + 0xa282ead8u;
}

template <typename T>
void append(std::string& record, T number) {
  record.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

TensorBoardWriter::TensorBoardWriter(const fs::path& folder, TensorBoardOptions options)
    : clock_(options.clock ? std::move(options.clock) : seconds_since_1970) {
  open(folder);
  try {
    tensorboard::Event event;
    event.set_wall_time(clock_());
    event.set_file_version("brain.Event:2");
    write_record(event.SerializeAsString());
    if (options.resumed_at) {
      event.set_step(*options.resumed_at);
      event.mutable_session_log()->set_status(tensorboard::SessionLog::START);
      write_record(event.SerializeAsString());
    }
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

TensorBoardWriter::~TensorBoardWriter() {
  ::close(descriptor_);
}

void TensorBoardWriter::open(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(folder, "cannot make this folder", error.value());
  const std::string name =
      fmt::format("events.out.tfevents.{}.engraft", static_cast<std::int64_t>(clock_()));
  for (int again = 0; descriptor_ < 0; ++again) {
    path_ = folder / (again == 0 ? name : fmt::format("{}.{}", name, again));
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_APPEND, 0666);
    if (descriptor_ < 0 && errno != EEXIST) fail(path_, "cannot write here", errno);
  }
}

void TensorBoardWriter::add(std::int64_t step, std::span<const Scalar> scalars) {
  if (scalars.empty()) return;
  tensorboard::Event event;
  event.set_wall_time(clock_());
  event.set_step(step);
  for (const Scalar& scalar : scalars) {
    if (scalar.tag.empty() || invalid_utf8_at(scalar.tag) != std::string_view::npos) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("'{}' is no tag of a curve: it is empty or not UTF-8",
                              printable(scalar.tag)));
    }
    tensorboard::Summary::Value& value = *event.mutable_summary()->add_value();
    value.set_tag(scalar.tag);
    value.set_simple_value(scalar.value);
  }
  write_record(event.SerializeAsString());
}

void TensorBoardWriter::write_record(const std::string& message) {
  std::string record;
  append(record, static_cast<std::uint64_t>(message.size()));
  append(record, masked_crc32c(record));
  record += message;
  append(record, masked_crc32c(message));
  std::string_view rest = record;
  while (!rest.empty()) {
    const ssize_t put = ::write(descriptor_, rest.data(), rest.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const int error = errno;
      // Half a record would hide all that come after it; nothing more can be done if this fails.
      static_cast<void>(::ftruncate(descriptor_, size_) == 0);
      fail(path_, "cannot write", error);
    }
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
  size_ += static_cast<std::int64_t>(record.size());
}

}  // namespace engraft
