// Reads event files back with a reader of its own, written from the formats' definitions: TFRecord,
// protobuf's wire format and TensorBoard's messages.
#include "engraft/report/tensorboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <variant>

#include "engraft/base/file.h"
#include "support/errors.h"
#include "support/slow_crc32c.h"
#include "support/test_data.h"

namespace engraft::tensorboard_test {

using test::expect_error;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;

template <typename T>
T number_at(std::string_view text, std::size_t at) {
  T number{};
  if (text.size() < at + sizeof number) throw std::runtime_error("cut short");
  std::memcpy(&number, text.data() + at, sizeof number);
  return number;
}

/// The messages of a TFRecord file; throws for a length or checksum that is not right.
std::vector<std::string> records(std::string_view file) {
  const auto check = [](std::string_view text, std::uint32_t stored) {
    const std::uint32_t sum = test::slow_crc32c(text);
    if (((sum >> 15) | (sum << 17)) + 0xa282ead8 != stored) throw std::runtime_error("checksum");
  };
  std::vector<std::string> messages;
  while (!file.empty()) {
    const auto length = number_at<std::uint64_t>(file, 0);
    check(file.substr(0, 8), number_at<std::uint32_t>(file, 8));
    if (length > file.size() - 12) throw std::runtime_error("length");
    const std::string_view message = file.substr(12, length);
    check(message, number_at<std::uint32_t>(file, 12 + length));
    messages.emplace_back(message);
    file.remove_prefix(16 + length);
  }
  return messages;
}

/// A protobuf field: a varint, eight bytes, a length-delimited text, or four bytes.
using Field = std::variant<std::uint64_t, double, std::string, float>;

std::uint64_t take_varint(std::string_view& text) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = number_at<std::uint8_t>(text, 0);
    text.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
  throw std::runtime_error("varint");
}

std::vector<std::pair<std::uint64_t, Field>> fields(std::string_view text) {
  std::vector<std::pair<std::uint64_t, Field>> result;
  while (!text.empty()) {
    const std::uint64_t tag = take_varint(text);
    std::size_t size = 0;
    Field field;
    switch (tag & 7) {
      case 0:
        field = take_varint(text);
        break;
      case 1:
        field = number_at<double>(text, 0);
        size = 8;
        break;
      case 2:
        size = take_varint(text);
        if (size > text.size()) throw std::runtime_error("text");
        field = std::string(text.substr(0, size));
        break;
      case 5:
        field = number_at<float>(text, 0);
        size = 4;
        break;
      default:
        throw std::runtime_error("wire type");
    }
    text.remove_prefix(size);
    result.emplace_back(tag >> 3, field);
  }
  return result;
}

struct Event {
  double wall_time = 0;
  std::int64_t step = 0;
  std::string file_version;
  std::uint64_t session_status = 0;
  std::vector<std::pair<std::string, float>> scalars;
};

std::pair<std::string, float> scalar_of(std::string_view message) {
  std::pair<std::string, float> scalar{"", std::numeric_limits<float>::quiet_NaN()};
  for (const auto& [number, field] : fields(message)) {
    if (number == 1) {
      scalar.first = std::get<std::string>(field);
    } else if (number == 2) {
      scalar.second = std::get<float>(field);
    } else {
      throw std::runtime_error("value field");
    }
  }
  return scalar;
}

Event event_of(std::string_view message) {
  Event event;
  for (const auto& [number, field] : fields(message)) {
    switch (number) {
      case 1:
        event.wall_time = std::get<double>(field);
        break;
      case 2:
        event.step = static_cast<std::int64_t>(std::get<std::uint64_t>(field));
        break;
      case 3:
        event.file_version = std::get<std::string>(field);
        break;
      case 5:
        for (const auto& [inner, value] : fields(std::get<std::string>(field))) {
          if (inner != 1) throw std::runtime_error("summary field");
          event.scalars.push_back(scalar_of(std::get<std::string>(value)));
        }
        break;
      case 7:
        for (const auto& [inner, value] : fields(std::get<std::string>(field))) {
          if (inner == 1) event.session_status = std::get<std::uint64_t>(value);
        }
        break;
      default:
        throw std::runtime_error("event field");
    }
  }
  return event;
}

std::vector<Event> events(const std::filesystem::path& file) {
  std::vector<Event> result;
  for (const std::string& message : records(read_text_file(file)))
    result.push_back(event_of(message));
  return result;
}

/// A clock that advances by a quarter of a second each time it is asked.
TensorBoardOptions ticking(double start = 1'700'000'000.25) {
  return {.clock = [now = start]() mutable { return std::exchange(now, now + 0.25); }};
}

TEST(TensorBoard, FileBeginsWithItsVersionAndIsNamedBySecond) {
  const TemporaryFolder folder;
  const TensorBoardWriter writer(folder / "new" / "run", ticking());
  EXPECT_EQ(writer.path(), folder / "new" / "run" / "events.out.tfevents.1700000000.engraft");
  const auto all = events(writer.path());
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].file_version, "brain.Event:2");
  EXPECT_EQ(all[0].step, 0);
  EXPECT_EQ(all[0].wall_time, 1'700'000'000.5);
  EXPECT_THAT(all[0].scalars, SizeIs(0));
}

TEST(TensorBoard, FirstRecordIsTheseBytes) {
  const TemporaryFolder folder;
  const TensorBoardWriter writer(folder.path(), {.clock = [] { return 1.0; }});
  const std::string text = read_text_file(writer.path());
  const std::string message = "\x09" + std::string(6, '\0') + "\xf0\x3f" +
                              "\x1a\x0d"
                              "brain.Event:2";
  ASSERT_EQ(text.size(), 16 + message.size());
  EXPECT_EQ(text.substr(0, 8), std::string("\x18\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(text.substr(12, message.size()), message);
}

TEST(TensorBoard, ScalarsComeBackWithTagStepAndTime) {
  const TemporaryFolder folder;
  TensorBoardWriter writer(folder.path(), ticking());
  writer.add(0, std::vector<Scalar>{{"loss/train", 0.75f}, {"accuracy/val", 0}});
  writer.add(1, std::vector<Scalar>{{"rate", 1e-30f}});
  writer.add(std::int64_t{1} << 40, std::vector<Scalar>{{"größe", -1}});
  const auto all = events(writer.path());
  ASSERT_THAT(all, SizeIs(4));
  EXPECT_THAT(all[1].scalars, ElementsAre(Pair("loss/train", 0.75f), Pair("accuracy/val", 0.0f)));
  EXPECT_EQ(all[1].step, 0);
  EXPECT_EQ(all[1].wall_time, 1'700'000'000.75);
  EXPECT_THAT(all[2].scalars, ElementsAre(Pair("rate", 1e-30f)));
  EXPECT_EQ(all[2].step, 1);
  EXPECT_THAT(all[3].scalars, ElementsAre(Pair("größe", -1.0f)));
  EXPECT_EQ(all[3].step, std::int64_t{1} << 40);
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i].file_version, "");
    EXPECT_GT(all[i].wall_time, all[i - 1].wall_time);
  }
}

TEST(TensorBoard, ValuesThatAreNotFiniteAreKept) {
  const TemporaryFolder folder;
  TensorBoardWriter writer(folder.path(), ticking());
  const float infinity = std::numeric_limits<float>::infinity();
  writer.add(3, std::vector<Scalar>{{"loss", std::nanf("")}, {"loss2", infinity}, {"l3", -0.0f}});
  const auto scalars = events(writer.path()).at(1).scalars;
  EXPECT_TRUE(std::isnan(scalars.at(0).second));
  EXPECT_EQ(scalars.at(1).second, infinity);
  EXPECT_TRUE(std::signbit(scalars.at(2).second));
}

TEST(TensorBoard, FileIsWholeAfterEveryStep) {
  const TemporaryFolder folder;
  TensorBoardWriter writer(folder.path(), ticking());
  for (int step = 0; step < 300; ++step) {
    writer.add(step, std::vector<Scalar>{{"loss/train", static_cast<float>(step)}});
    if (step % 50 == 0) {
      EXPECT_THAT(events(writer.path()), SizeIs(static_cast<std::size_t>(step) + 2));
    }
  }
  const auto all = events(writer.path());
  ASSERT_THAT(all, SizeIs(301));
  for (int step = 0; step < 300; ++step) {
    EXPECT_EQ(all[static_cast<std::size_t>(step) + 1].step, step);
    EXPECT_THAT(all[static_cast<std::size_t>(step) + 1].scalars,
                ElementsAre(Pair("loss/train", static_cast<float>(step))));
  }
}

TEST(TensorBoard, NothingToSayIsNothingWritten) {
  const TemporaryFolder folder;
  TensorBoardWriter writer(folder.path(), ticking());
  writer.add(7, {});
  EXPECT_THAT(events(writer.path()), SizeIs(1));
}

TEST(TensorBoard, ResumedRunTellsReadersToForgetWhatCameAfter) {
  const TemporaryFolder folder;
  TensorBoardOptions options = ticking();
  options.resumed_at = 12;
  TensorBoardWriter writer(folder.path(), std::move(options));
  writer.add(12, std::vector<Scalar>{{"loss", 1}});
  const auto all = events(writer.path());
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].session_status, 0u);
  EXPECT_EQ(all[1].session_status, 1u);
  EXPECT_EQ(all[1].step, 12);
  EXPECT_EQ(all[1].file_version, "");
  EXPECT_EQ(all[2].step, 12);
}

TEST(TensorBoard, FilesOfOneSecondDoNotMeet) {
  const TemporaryFolder folder;
  TensorBoardWriter first(folder.path(), ticking()), second(folder.path(), ticking());
  const TensorBoardWriter third(folder.path(), ticking());
  EXPECT_NE(first.path(), second.path());
  EXPECT_EQ(third.path().filename(), "events.out.tfevents.1700000000.engraft.2");
  first.add(1, std::vector<Scalar>{{"a", 1}});
  second.add(1, std::vector<Scalar>{{"b", 2}});
  EXPECT_THAT(events(first.path()).at(1).scalars, ElementsAre(Pair("a", 1.0f)));
  EXPECT_THAT(events(second.path()).at(1).scalars, ElementsAre(Pair("b", 2.0f)));
}

TEST(TensorBoard, WritesOnWhereItsFolderHasBeenMoved) {
  const TemporaryFolder folder;
  TensorBoardWriter writer(folder / "part", ticking());
  std::filesystem::rename(folder / "part", folder / "run");
  writer.add(1, std::vector<Scalar>{{"a", 1}});
  EXPECT_THAT(events(folder / "run" / writer.path().filename()), SizeIs(2));
}

TEST(TensorBoard, TakesTheMachinesClockWhereNoneIsGiven) {
  const TemporaryFolder folder;
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const double before = now();
  const TensorBoardWriter writer(folder.path());
  const double time = events(writer.path()).at(0).wall_time;
  EXPECT_GE(time, before);
  EXPECT_LE(time, now());
}

TEST(TensorBoard, EqualCallsGiveEqualBytes) {
  const TemporaryFolder folder;
  const auto write = [&](const char* name) {
    TensorBoardWriter writer(folder / name, ticking());
    writer.add(1, std::vector<Scalar>{{"b", 1}, {"a", 2}});
    return read_file(writer.path());
  };
  EXPECT_EQ(write("one"), write("two"));
}

TEST(TensorBoard, OddTagsAreUsage) {
  const TemporaryFolder folder;
  TensorBoardWriter writer(folder.path(), ticking());
  for (const char* tag : {"", "\xff", "a\xc3"}) {
    expect_error(ErrorKind::kUsage, HasSubstr("no tag"), [&] {
      writer.add(1, std::vector<Scalar>{{"fine", 1}, {tag, 1}});
    });
  }
  EXPECT_THAT(events(writer.path()), SizeIs(1));
}

TEST(TensorBoard, PlacesThatCannotBeWrittenToAreIo) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  expect_error(ErrorKind::kIo,
               AllOf(StartsWith((folder / "file").string()), HasSubstr("cannot make this folder")),
               [&] { const TensorBoardWriter writer(folder / "file", ticking()); });
}

TEST(TensorBoard, AFullDiskLeavesWholeRecords) {
  const TemporaryFolder folder;
  TensorBoardWriter writer(folder.path(), ticking());
  writer.add(1, std::vector<Scalar>{{"a", 1}});
  const auto size = std::filesystem::file_size(writer.path());

  // A limit on file sizes stands for the disk; without the signal, writing past it is an error.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{.rlim_cur = size + 10, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  expect_error(ErrorKind::kIo, StartsWith(writer.path().string() + ": cannot write"), [&] {
    writer.add(2, std::vector<Scalar>{{"a", 2}});
  });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);

  EXPECT_EQ(std::filesystem::file_size(writer.path()), size);
  writer.add(3, std::vector<Scalar>{{"a", 3}});
  const auto all = events(writer.path());
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[2].step, 3);
}

}  // namespace engraft::tensorboard_test
