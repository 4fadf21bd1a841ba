#include "engraft/sample/plates.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>
#include <span>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/hash.h"
#include "engraft/image/decode.h"
#include "support/test_data.h"

namespace engraft::plates_test {

using test::TemporaryFolder;

constexpr Size kSmall{.width = 120, .height = 90};

double mean_brightness(const Image& image) {
  double sum = 0;
  for (const std::uint8_t value : image.pixels) sum += value;
  return sum / static_cast<double>(image.pixels.size());
}

double deviation(const Image& image) {
  const double mean = mean_brightness(image);
  double sum = 0;
  for (const std::uint8_t value : image.pixels) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(image.pixels.size()));
}

TEST(DrawPlate, IsAPureFunctionOfItsArguments) {
  for (const Plate kind : {Plate::kClean, Plate::kDirty}) {
    EXPECT_EQ(draw_plate(kind, 7, 3, kSmall), draw_plate(kind, 7, 3, kSmall));
  }
}

TEST(DrawPlate, SeedIndexAndKindEachMakeAnotherPicture) {
  std::set<Digest> seen;
  int drawn = 0;
  for (const std::uint64_t seed : {0u, 1u, 2u}) {
    for (const std::uint64_t index : {0u, 1u, 2u, 3u}) {
      for (const Plate kind : {Plate::kClean, Plate::kDirty}) {
        const Image image = draw_plate(kind, seed, index, kSmall);
        seen.insert(sha256(std::as_bytes(std::span(image.pixels))));
        ++drawn;
      }
    }
  }
  EXPECT_EQ(static_cast<int>(seen.size()), drawn);
}

TEST(DrawPlate, HasTheSizeAskedFor) {
  for (const Size size : {Size{16, 16}, Size{17, 200}, Size{400, 300}, Size{301, 33}}) {
    const Image image = draw_plate(Plate::kDirty, 1, 1, size);
    EXPECT_EQ(image.size(), size);
    EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(size.width * size.height * 3));
  }
}

TEST(DrawPlate, RefusesSizesThatAreNone) {
  for (const Size size : {Size{0, 0}, Size{15, 300}, Size{300, -1}, Size{5000, 300}}) {
    try {
      static_cast<void>(draw_plate(Plate::kClean, 0, 0, size));
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    }
  }
}

TEST(DrawPlate, PicturesAreExposedLikePhotographs) {
  for (std::uint64_t i = 0; i < 30; ++i) {
    const Image image = draw_plate(i % 2 ? Plate::kDirty : Plate::kClean, 5, i, kSmall);
    EXPECT_GT(mean_brightness(image), 25) << i;
    EXPECT_LT(mean_brightness(image), 245) << i;
    EXPECT_GT(deviation(image), 4) << i;
  }
}

TEST(DrawPlate, BrightnessDoesNotGiveTheKindAway) {
  double clean = 0;
  double dirty = 0;
  constexpr int kPictures = 60;
  for (std::uint64_t i = 0; i < kPictures; ++i) {
    clean += mean_brightness(draw_plate(Plate::kClean, 11, i, kSmall)) / kPictures;
    dirty += mean_brightness(draw_plate(Plate::kDirty, 11, i, kSmall)) / kPictures;
  }
  // One picture deviates from the next by about 35; the mean of 60 by about 5.
  EXPECT_NEAR(clean, dirty, 20);
}

class WritePlates : public testing::Test {
 protected:
  TemporaryFolder folder_;
  ThreadPool pool_{2};
  NoProgress progress_;

  [[nodiscard]] static std::set<std::string> names(const std::filesystem::path& folder) {
    std::set<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      result.insert(entry.path().filename().string());
    }
    return result;
  }
};

TEST_F(WritePlates, WritesBothKindsAndTheirLabels) {
  write_plates(folder_ / "new/plates", {.count = 5, .seed = 3}, pool_, progress_);
  EXPECT_THAT(names(folder_ / "new/plates"),
              testing::ElementsAre("clean_000.jpg", "clean_001.jpg", "clean_002.jpg",
                                   "dirty_000.jpg", "dirty_001.jpg", "labels.csv"));
  EXPECT_EQ(read_text_file(folder_ / "new/plates/labels.csv"),
            "filename,label\nclean_000.jpg,clean\nclean_001.jpg,clean\nclean_002.jpg,clean\n"
            "dirty_000.jpg,dirty\ndirty_001.jpg,dirty\n");
}

TEST_F(WritePlates, FilesAreTheDrawnPicturesAsJpeg) {
  write_plates(folder_ / "p", {.count = 2, .seed = 3}, pool_, progress_);
  const Bytes file = read_file(folder_ / "p/dirty_000.jpg");
  EXPECT_EQ(image_format(file), ImageFormat::kJpeg);
  const Image stored = decode_image(file);
  const Image drawn = draw_plate(Plate::kDirty, 3, 0);
  ASSERT_EQ(stored.size(), drawn.size());
  double difference = 0;
  for (std::size_t i = 0; i < drawn.pixels.size(); ++i) {
    difference += std::abs(int{stored.pixels[i]} - int{drawn.pixels[i]});
  }
  EXPECT_LT(difference / static_cast<double>(drawn.pixels.size()), 5);
}

TEST_F(WritePlates, SameBytesForAnyNumberOfThreads) {
  ThreadPool one(1);
  ThreadPool three(3);
  write_plates(folder_ / "1", {.count = 8}, one, progress_);
  write_plates(folder_ / "3", {.count = 8}, three, progress_);
  ASSERT_EQ(names(folder_ / "1"), names(folder_ / "3"));
  for (const std::string& name : names(folder_ / "1")) {
    EXPECT_EQ(read_file(folder_ / "1" / name), read_file(folder_ / "3" / name)) << name;
  }
}

TEST_F(WritePlates, TakesAnEmptyFolder) {
  std::filesystem::create_directory(folder_ / "empty");
  write_plates(folder_ / "empty", {.count = 2}, pool_, progress_);
  EXPECT_EQ(names(folder_ / "empty").size(), 3u);
}

TEST_F(WritePlates, LeavesAFolderWithSomethingInItAlone) {
  write_file_atomic(folder_ / "mine.txt", "precious");
  try {
    write_plates(folder_.path(), {.count = 2}, pool_, progress_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), testing::HasSubstr(folder_.path().string()));
  }
  EXPECT_THAT(names(folder_.path()), testing::ElementsAre("mine.txt"));
}

TEST_F(WritePlates, RefusesAFileInPlaceOfTheFolder) {
  write_file_atomic(folder_ / "file", "x");
  EXPECT_THROW(write_plates(folder_ / "file", {.count = 2}, pool_, progress_), Error);
  EXPECT_THROW(write_plates(folder_ / "file/below", {.count = 2}, pool_, progress_), Error);
}

TEST_F(WritePlates, RefusesCountsThatMakeNoSet) {
  for (const int count : {-1, 0, 1, 1'000'000}) {
    EXPECT_THROW(write_plates(folder_ / "n", {.count = count}, pool_, progress_), Error) << count;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "n"));
  }
}

/// Asks for a stop after the third picture.
class StopAfterThree final : public Progress {
 public:
  explicit StopAfterThree(std::stop_source& source) : source_(source) {}
  void begin(std::string_view, std::int64_t total, std::string_view) override { total_ = total; }
  void update(std::int64_t done, std::string_view) override {
    last_ = done;
    if (done == 3) source_.request_stop();
  }
  void end() override { ended_ = true; }
  void note(std::string_view) override {}

  std::int64_t total_ = 0, last_ = 0;
  bool ended_ = false;

 private:
  std::stop_source& source_;
};

TEST_F(WritePlates, StopsOnRequestAndLeavesNothingBehind) {
  std::stop_source source;
  StopAfterThree progress(source);
  try {
    write_plates(folder_ / "s", {.count = 50}, pool_, progress, source.get_token());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
  EXPECT_LT(progress.last_, 10);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "s"));
}

TEST_F(WritePlates, StoppedInAGivenFolderLeavesItEmpty) {
  std::filesystem::create_directory(folder_ / "s");
  std::stop_source source;
  StopAfterThree progress(source);
  EXPECT_THROW(write_plates(folder_ / "s", {.count = 50}, pool_, progress, source.get_token()),
               Error);
  EXPECT_TRUE(names(folder_ / "s").empty());
}

TEST_F(WritePlates, TellsHowFarItIs) {
  std::stop_source source;
  StopAfterThree progress(source);
  write_plates(folder_ / "p", {.count = 2}, pool_, progress);
  EXPECT_EQ(progress.total_, 2);
  EXPECT_EQ(progress.last_, 2);
  EXPECT_TRUE(progress.ended_);
}

}  // namespace engraft::plates_test
