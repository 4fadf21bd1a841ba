#include "engraft/base/file_contents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "engraft/base/error.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::file_contents_test {

namespace fs = std::filesystem;
using test::expect_error;
using test::TemporaryFolder;
using ::testing::HasSubstr;

void put(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string text_of(const FileContents& contents) {
  return {reinterpret_cast<const char*>(contents.bytes().data()), contents.bytes().size()};
}

TEST(FileContents, AreEveryByte) {
  const TemporaryFolder folder;
  for (const std::size_t size : {0u, 1u, 4096u, 65537u, 5'000'001u}) {  // the last in huge pages
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7);
    put(folder / "f", text);
    EXPECT_EQ(text_of(FileContents(folder / "f")), text) << size;
  }
}

TEST(FileContents, AreThereAlsoWhereTheSystemDoesNotKnowTheSize) {
  const fs::path version = "/proc/version";
  if (!fs::exists(version)) GTEST_SKIP() << "this system has no " << version;
  ASSERT_EQ(fs::file_size(version), 0u);
  const std::string text = read_text_file(version);
  ASSERT_GT(text.size(), 4u);
  EXPECT_EQ(text_of(FileContents(version)), text);
  expect_error(ErrorKind::kBadInput, HasSubstr("version: is larger than 4 bytes"),
               [&] { FileContents contents(version, 4); });
}

/// What a mapping of the file could not do: reading behind its new end would end the program.
TEST(FileContents, StayWhenTheFileIsCutShortOrRemoved) {
  const TemporaryFolder folder;
  const std::string text(100'000, 'x');
  put(folder / "f", text);
  const FileContents contents(folder / "f");
  fs::resize_file(folder / "f", 0);
  EXPECT_EQ(text_of(contents), text);
  fs::remove(folder / "f");
  EXPECT_EQ(text_of(contents), text);
}

TEST(FileContents, RefuseWhatReadFileRefuses) {
  const TemporaryFolder folder;
  put(folder / "f", "12345");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const auto read = [](const fs::path& path) { return [path] { FileContents contents(path, 4); }; };
  expect_error(ErrorKind::kBadInput, HasSubstr("f: is 5 bytes; the limit is 4"),
               read(folder / "f"));
  expect_error(ErrorKind::kNotFound, HasSubstr("none: cannot open"), read(folder / "none"));
  expect_error(ErrorKind::kIo, HasSubstr("is a folder"), read(folder.path()));
  expect_error(ErrorKind::kIo, HasSubstr("is not a regular file"), read(folder / "pipe"));
}

}  // namespace engraft::file_contents_test
